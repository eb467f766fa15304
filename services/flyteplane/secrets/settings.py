"""What an operator decides about secrets: where key-encryption keys come from, and how long the audit trail is kept.

Values are checked when they are made. None of them is a key, a token or a password: of those there are paths only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flyteplane.foundation.errors import InvalidArgument

KEEP_AUDIT_DAYS: Final = 400
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,24}")
_KEY_ID: Final = re.compile(r"[ -~]{1,64}")


class Provider(StrEnum):
    """Where key-encryption keys come from."""

    FILE = "file"
    ENVIRONMENT = "environment"
    VAULT = "vault"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRole:
    """How a service logs in to Vault that gets no token from an agent."""

    role_id: str
    secret_id_file: Path
    mount: str = "approle"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """A key of the transit engine of Vault or OpenBao. Raises InvalidArgument."""

    address: str
    key: str
    mount: str = "transit"
    namespace: str = ""
    token_file: Path | None = None
    """Read again whenever Vault refuses the token that was read before."""
    approle: AppRole | None = None
    ca_file: Path | None = None
    """Certificates to trust; those of the machine if None."""
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        address = urlsplit(self.address)
        if address.scheme not in ("https", "http") or not address.hostname or address.username is not None:
            raise _refusal("vault.address", "it is no address of Vault", "Give https://HOST:PORT.")
        for field, name in (("mount", self.mount), ("key", self.key)):
            # Both are part of the id that is stored with every secret.
            if not _NAME.fullmatch(name):
                raise _refusal(f"vault.{field}", f"{name!r} cannot be used", "Use 1 to 24 of letters, digits, _ and -.")
        if (self.token_file is None) == (self.approle is None):
            raise _refusal("vault.token_file", "there must be one way to log in", "Give either token_file or approle.")
        if not 0.1 <= self.timeout_s <= 60:
            raise _refusal("vault.timeout_s", f"{self.timeout_s:g} is out of range", "Use 0.1 to 60 seconds.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsSettings:
    """The section `secrets` of the operator's file. Raises InvalidArgument."""

    provider: Provider | None = None
    """None: the environment if it holds keys, else files."""
    folder: Path | None = None
    """Of key files; None: the platform's own."""
    vault: VaultSettings | None = None
    lost_keys: frozenset[str] = frozenset()
    """Ids of keys that are gone for good; what is stored under them is given up."""
    keep_audit_days: float = KEEP_AUDIT_DAYS

    def __post_init__(self) -> None:
        if (self.provider is Provider.VAULT) != (self.vault is not None):
            raise _refusal("vault", "it belongs to the provider vault", "Give provider: vault and a vault: section.")
        if not 1 <= self.keep_audit_days <= 36_500:
            raise _refusal("keep_audit_days", f"{self.keep_audit_days:g} is out of range", "Use 1 to 36500 days.")
        for key_id in self.lost_keys:
            if not _KEY_ID.fullmatch(key_id):
                raise _refusal("lost_keys", f"{key_id!r} is no id of a key", "Take it from the message that names it.")


def _refusal(field: str, what: str, mend: str) -> InvalidArgument:
    return InvalidArgument(what, reason="OPERATOR_FILE", field=field, mend=mend)
