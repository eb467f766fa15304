"""The `services:` section of the operator's file: where services are, and what they share.

    services:
      addresses:                      # fixed; whatever is not named here is found through the coordination store
        cache: 10.0.0.5:7001
      worker_listen: 0.0.0.0:7100     # of each scheduler, for workers in pods; --worker-listen says otherwise for one
      database: postgresql://flyte@db.example/flyte?passfile=/etc/flyte/pgpass
                                      # every service in a schema of its own; files in the folder if not given
      lease_seconds: 10               # a leader that died is replaced after this long
      drain_seconds: 0                # how long a process that was told to stop goes on serving clients, not ready
      migrate: automatic              # or `job`: schemas are brought up to date by `flyteplane.launcher migrate` only
      keys: /etc/flyteplane/keys      # folder of secret keys, may be read-only; `keys/` in the folder if not given

Typed values with their checks; reading the file is another module's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flyteplane.foundation.errors import InvalidArgument

SECTION: Final = "services"
FIXED_SERVICES: Final = ("admin", "scheduler", "cache", "secrets", "reuse_pool")
LEASE_S: Final = 10.0
SHORTEST_LEASE_S: Final = 2.0
LONGEST_LEASE_S: Final = 300.0
LONGEST_DRAIN_S: Final = 60.0


class MigrationPolicy(StrEnum):
    """Who brings the schemas of the databases up to date."""

    AUTOMATIC = "automatic"
    """The process that leads a service, when it opens its database."""
    JOB = "job"
    """`python -m flyteplane.launcher migrate`; processes wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddresses:
    """The section as values. Raises InvalidArgument for what cannot be meant."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    """Fixed addresses by service: `host:port` or `unix:/path`."""
    worker_listen: str = ""
    """`host:port` on which schedulers listen to workers; empty for nowhere. Clusters say how workers reach it."""
    database: str = ""
    """URL of a PostgreSQL database for all services; empty for a SQLite file each."""
    lease_s: float = LEASE_S
    """How long a process holds a lead without renewing it."""
    drain_s: float = 0.0
    """How long a process that was told to stop goes on serving clients."""
    migrate: MigrationPolicy = MigrationPolicy.AUTOMATIC
    keys: Path | None = None
    """Folder of secret keys; None for one in the platform's folder."""

    def __post_init__(self) -> None:
        for service, address in self.addresses.items():
            if service not in FIXED_SERVICES:
                raise _refusal(f"addresses.{service}", "there is no such service", f"Use {', '.join(FIXED_SERVICES)}.")
            _check_address(f"addresses.{service}", address, unix=True)
        if self.worker_listen:
            _check_address("worker_listen", self.worker_listen, unix=False)
        if self.database:
            _check_database(self.database)
        if not SHORTEST_LEASE_S <= self.lease_s <= LONGEST_LEASE_S:
            raise _refusal("lease_seconds", f"{self.lease_s:g} is out of range", "Use 2 to 300 seconds.")
        if not 0 <= self.drain_s <= LONGEST_DRAIN_S:
            raise _refusal("drain_seconds", f"{self.drain_s:g} is out of range", "Use 0 to 60 seconds.")
        if self.keys is not None and not self.keys.is_absolute():
            raise _refusal("keys", f"{str(self.keys)!r} is no absolute path", "Begin it with a slash.")

    def database_url(self, service: str) -> str:
        """Where a service keeps its records: a schema of the one database. Empty if there is none."""
        if not self.database:
            return ""
        parts = urlsplit(self.database)
        query = urlencode([*parse_qsl(parts.query), ("schema", service)])
        return urlunsplit(parts._replace(query=query))

    @classmethod
    def parse(cls, section: object) -> ServiceAddresses:
        """The values in a section as the file's reader gives it; None for none."""
        given = _mapping(section or {}, "")
        known = {"addresses", "worker_listen", "database", "lease_seconds", "drain_seconds", "migrate", "keys"}
        for name in given:
            if name not in known:
                raise _refusal(name, "there is no such setting", f"Use {', '.join(sorted(known))}.")
        addresses = _mapping(given.get("addresses", {}), "addresses")
        return cls(
            addresses={name: _text(f"addresses.{name}", value) for name, value in addresses.items()},
            worker_listen=_text("worker_listen", given.get("worker_listen", "")),
            database=_text("database", given.get("database", "")),
            lease_s=_seconds("lease_seconds", given.get("lease_seconds", LEASE_S), "Use 2 to 300 seconds."),
            drain_s=_seconds("drain_seconds", given.get("drain_seconds", 0), "Use 0 to 60 seconds."),
            migrate=_policy(given.get("migrate", MigrationPolicy.AUTOMATIC)),
            keys=Path(keys) if (keys := _text("keys", given.get("keys", ""))) else None,
        )


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _refusal(name, "it is not a mapping with names as keys", "See the documentation of flyteplane.yaml.")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _refusal(name, f"{value!r} is not a text", "Give an address as host:port.")
    return value


def _seconds(name: str, value: Any, mend: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(name, f"{value!r} is not a number", mend)
    return float(value)


def _policy(value: Any) -> MigrationPolicy:
    try:
        return MigrationPolicy(value)
    except ValueError:
        raise _refusal("migrate", f"{value!r} is no policy", "Use automatic or job.") from None


def _check_address(name: str, address: str, *, unix: bool) -> None:
    if unix and address.startswith("unix:/"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        mend = "Use host:port or unix:/path." if unix else "Use host:port."
        raise _refusal(name, f"the address {address!r} cannot be read", mend)


def _check_database(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        raise _refusal("database", "it is not the URL of a PostgreSQL database", "Use postgresql://user@host/database.")
    if any(name == "schema" for name, _ in parse_qsl(parts.query)):
        raise _refusal("database", "it names a schema, and every service has one of its own", "Leave the schema out.")


def _refusal(name: str, what: str, mend: str) -> InvalidArgument:
    setting = f"{SECTION}.{name}" if name else SECTION
    return InvalidArgument(f"{setting}: {what}", reason="OPERATOR_FILE", field=setting, mend=mend)
