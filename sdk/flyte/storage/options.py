"""How remote stores are reached: endpoints and credentials, per kind of store.

Nothing has to be given where the surroundings say it (instance roles, service accounts, the variables of the vendors'
own tools). `configure` sets what the surroundings do not say, once for the process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

_FIRST_PAUSE: Final = timedelta(milliseconds=100)
_LONGEST_RETRYING: Final = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Storage:
    """What all kinds of stores share.

    - `retries`: how often a request that failed is tried again, with pauses that grow to `backoff`.
    - `enable_debug`, `attach_execution_metadata`: for the peer SDK; objects are kept as they are here.
    """

    retries: int = 3
    backoff: timedelta = timedelta(seconds=5)
    enable_debug: bool = False
    attach_execution_metadata: bool = True

    @classmethod
    def auto(cls) -> Storage:
        """Take what the environment says."""
        return cls()

    def client_options(self) -> dict[str, Any]:
        """Return the options of the store's client, for those stores that this kind is about."""
        return self._own_options() | self._retry_options()

    def _own_options(self) -> dict[str, Any]:
        return {}

    def _retry_options(self) -> dict[str, Any]:
        # What nobody has changed is left to the client: it tries longer than the peer SDK does.
        if (self.retries, self.backoff) == (Storage().retries, Storage().backoff):
            return {}
        backoff = {"init_backoff": min(_FIRST_PAUSE, self.backoff), "max_backoff": self.backoff, "base": 2}
        return {"retry_config": {"max_retries": self.retries, "backoff": backoff, "retry_timeout": _LONGEST_RETRYING}}

    def schemes(self) -> frozenset[str]:
        """Return the URI schemes that this kind is about."""
        return frozenset()

    def get_fsspec_kwargs(self, anonymous: bool = False, **kwargs: Any) -> dict[str, Any]:
        """Return the options for a file system of `obstore.fsspec`; `kwargs` come on top."""
        options = self.client_options()
        return (unsigned(options) if anonymous else options) | kwargs


@dataclass(frozen=True, slots=True)
class S3(Storage):
    """Amazon S3 and everything that speaks like it."""

    endpoint: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    region: str | None = None
    addressing_style: Literal["auto", "path", "virtual"] | str | None = None

    @classmethod
    def auto(cls, region: str | None = None) -> S3:
        """Take FLYTE_AWS_ENDPOINT, FLYTE_AWS_ACCESS_KEY_ID and FLYTE_AWS_SECRET_ACCESS_KEY."""
        read = os.environ.get
        return cls(
            endpoint=read("FLYTE_AWS_ENDPOINT"),
            access_key_id=read("FLYTE_AWS_ACCESS_KEY_ID"),
            secret_access_key=read("FLYTE_AWS_SECRET_ACCESS_KEY"),
            region=region or read("FLYTE_AWS_REGION"),
            addressing_style=read("FLYTE_AWS_S3_ADDRESSING_STYLE"),
        )

    @classmethod
    def for_sandbox(cls) -> S3:
        """Reach the store of the peer SDK's sandbox on this machine: MinIO with its well-known credentials."""
        return cls(endpoint="http://localhost:4566", access_key_id="minio", secret_access_key="miniostorage")

    def _own_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "endpoint": self.endpoint,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            "region": self.region,
        }
        if self.addressing_style in ("path", "virtual"):
            options["virtual_hosted_style_request"] = self.addressing_style == "virtual"
        if self.endpoint is not None and self.endpoint.startswith("http://"):
            options["client_options"] = {"allow_http": True}
        return _given(options)

    def schemes(self) -> frozenset[str]:
        """Return the URI schemes that this kind is about."""
        return frozenset({"s3", "s3a"})


@dataclass(frozen=True, slots=True)
class GCS(Storage):
    """Google Cloud Storage; credentials come from the surroundings."""

    def schemes(self) -> frozenset[str]:
        """Return the URI schemes that this kind is about."""
        return frozenset({"gs", "gcs"})


@dataclass(frozen=True, slots=True)
class ABFS(Storage):
    """Azure Blob Storage."""

    account_name: str | None = None
    account_key: str | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = None

    @classmethod
    def auto(cls) -> ABFS:
        """Take AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY and the variables of a service principal."""
        read = os.environ.get
        return cls(
            account_name=read("AZURE_STORAGE_ACCOUNT_NAME"),
            account_key=read("AZURE_STORAGE_ACCOUNT_KEY"),
            tenant_id=read("AZURE_TENANT_ID"),
            client_id=read("AZURE_CLIENT_ID"),
            client_secret=read("AZURE_CLIENT_SECRET"),
        )

    def _own_options(self) -> dict[str, Any]:
        names = ("account_name", "account_key", "tenant_id", "client_id", "client_secret")
        return _given({name: getattr(self, name) for name in names})

    def schemes(self) -> frozenset[str]:
        """Return the URI schemes that this kind is about."""
        return frozenset({"abfs", "abfss", "az", "azure", "adl"})


_CREDENTIALS: Final = frozenset(
    {"access_key_id", "secret_access_key", "account_key", "tenant_id", "client_id", "client_secret"}
)
_AUTOMATIC: Final = (S3.auto, GCS, ABFS.auto)
_configured: list[Storage] = []


def configure(*storages: Storage | None) -> None:
    """Set how stores are reached from now on; a later one for the same scheme replaces an earlier one."""
    from flyte.storage.remote_objects import forget_stores

    _configured[:0] = [storage for storage in storages if storage is not None]
    forget_stores()


def options_for(scheme: str) -> Mapping[str, Any]:
    """Return the client options of a scheme: what was configured, else what the environment says."""
    for storage in _configured:
        if scheme in storage.schemes():
            return storage.client_options()
    for automatic in _AUTOMATIC:
        found = automatic()
        if scheme in found.schemes():
            return found.client_options()
    return {}


def unsigned(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a client that shows no credentials."""
    return {name: value for name, value in options.items() if name not in _CREDENTIALS} | {"skip_signature": True}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
