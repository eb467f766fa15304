"""What one process of a platform is told that runs as several."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.console import NONE, check_console
from flyteplane.launcher.exposure import check_endpoint, check_listen
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.service_addresses import FIXED_SERVICES
from flyteplane.launcher.settings import check_listener

if TYPE_CHECKING:
    from flyteplane.coordination import EtcdSettings

#: Hosts that stand for every address of the machine.
_EVERY_ADDRESS: Final = ("0.0.0.0", "[::]")  # they are looked for, and not listened on
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """Raises InvalidArgument for what cannot be meant."""

    data: Path
    """The folder that all processes of the platform share."""
    services: tuple[str, ...]
    """What this process carries."""
    name: str = ""
    """Of this process among those of the platform; stays the same when it is started again. By default its services."""
    endpoint: str = ""
    """For clients, served by the process that carries admin: as in `PlatformSettings`."""
    listen: str = ""
    """For the other processes; on other machines with mutual TLS. Empty: a socket in the folder of this process."""
    advertise: str = ""
    """Where the other processes reach `listen`, `host:port`. Empty: as it listens."""
    worker_listen: str = ""
    """For workers, `host:port`, other machines included: each call there proves itself by a token. Empty: none."""
    metrics_listen: str = ""
    """Where Prometheus reads metrics of this process over HTTP, `host:port`. Empty: nowhere."""
    console_listen: str = ""
    """Where people look at the platform, `host:port`, in a process that carries admin. Empty: nowhere."""
    etcd: EtcdSettings | None = None
    """None: the addresses are fixed, and there is one scheduler."""
    operator: OperatorFile = field(default_factory=OperatorFile)
    """What the operator's file says."""

    def __post_init__(self) -> None:
        unknown = [service for service in self.services if service not in FIXED_SERVICES]
        if unknown or not self.services:
            raise InvalidArgument(
                f"there is no service {', '.join(unknown) or 'given'}",
                field="services",
                mend=f"Use some of {', '.join(FIXED_SERVICES)}.",
            )
        object.__setattr__(self, "data", self.data.expanduser().absolute())
        object.__setattr__(self, "name", self.name or "-".join(self.services).replace("_", "-"))
        if _NAME.fullmatch(self.name) is None:
            raise InvalidArgument(
                f"a process cannot be named {self.name!r}", field="name", limit="40 letters a-z, digits and '-'"
            )
        if "admin" in self.services:
            check_endpoint(self.endpoint, self.operator, asks_who_calls=self.operator.identity.configured)
        check_listen(self.listen, self.operator)
        self._check_advertised()
        if self.worker_listen:
            check_listener(self.worker_listen, field="worker_listen")
        if self.metrics_listen:
            check_listener(self.metrics_listen, field="metrics_listen")
        self._check_console()
        self._check_reachable()

    @property
    def carried_alone(self) -> tuple[str, ...]:
        """The services that no other process may carry: without a shared coordination store nobody is elected."""
        return self.services if self.etcd is None else ()

    def _check_advertised(self) -> None:
        """Whoever listens on every address of the machine has to say which of them others connect to."""
        if self.advertise:
            check_listener(self.advertise, field="advertise")
        elif self.listen.rpartition(":")[0] in _EVERY_ADDRESS and self.etcd is not None:
            raise InvalidArgument(
                f"nothing says by which address other processes reach {self.listen!r}",
                field="advertise",
                mend="Give --advertise HOST:PORT, for example the address of the pod.",
            )

    def _check_console(self) -> None:
        check_console(self.console_listen, self.operator)
        if self.console_listen not in ("", NONE) and "admin" not in self.services:
            raise InvalidArgument(
                "this process serves no clients, and so no console",
                field="console_listen",
                mend="Give --console-listen to a process that carries admin.",
            )

    def _check_reachable(self) -> None:
        if self.etcd is not None:
            return
        missing = [
            service
            for service in FIXED_SERVICES
            if service not in self.services and service not in self.operator.services.addresses
        ]
        if missing:
            raise InvalidArgument(
                f"nothing says where {', '.join(missing)} can be reached",
                field="services.addresses",
                mend="Name the addresses in the operator's file, or give it a coordination store.",
            )
