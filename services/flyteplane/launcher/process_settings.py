"""What one process of a platform is told that runs as several."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.elections import ELECTED
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.service_addresses import FIXED_SERVICES
from flyteplane.launcher.settings import PlatformSettings, check_listener

if TYPE_CHECKING:
    from flyteplane.coordination import EtcdSettings

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
    """For the other processes. Empty: a socket in the folder of this process."""
    worker_listen: str = ""
    """For workers, `host:port`, other machines included: each call there proves itself by a token. Empty: none."""
    metrics_listen: str = ""
    """Where Prometheus reads metrics of this process over HTTP, `host:port`. Empty: nowhere."""
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
        # The same rule for both listeners: whoever can connect there is asked nothing.
        for endpoint in (self.endpoint, self.listen):
            PlatformSettings(data=self.data, endpoint=endpoint)
        if self.worker_listen:
            check_listener(self.worker_listen, field="worker_listen")
        if self.metrics_listen:
            check_listener(self.metrics_listen, field="metrics_listen")
        self._check_reachable()

    @property
    def carried_alone(self) -> tuple[str, ...]:
        """The services that no other process may carry. Those that share a coordination store may elect a leader."""
        return tuple(service for service in self.services if service not in ELECTED or self.etcd is None)

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
