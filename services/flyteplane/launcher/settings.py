"""What a platform is told when it is started."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.operator_file import OperatorFile

FOLDER_VARIABLE: Final = "FLYTE_PLATFORM_DATA"
_UNIX: Final = "unix:"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """Where a platform keeps everything, and where it listens.

    Raises InvalidArgument for an endpoint that it must not listen on.
    """

    data: Path
    endpoint: str = ""
    """`unix:/path` or `127.0.0.1:port` (port 0: any free one). Empty: a socket in the folder."""
    worker_listen: str = ""
    """For workers in pods, `host:port`, other machines included: each proves itself by a token. Empty: none."""
    metrics_listen: str = ""
    """Where Prometheus reads metrics over HTTP, `host:port`. Empty: nowhere."""
    operator: OperatorFile = field(default_factory=OperatorFile)
    """What the operator's file says."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", self.data.expanduser().absolute())
        if self.endpoint and not self.endpoint.startswith(_UNIX):
            _refuse_public_address(self.endpoint)
        if self.worker_listen:
            check_listener(self.worker_listen, field="worker_listen")
        if self.metrics_listen:
            check_listener(self.metrics_listen, field="metrics_listen")


def default_folder(environment: Mapping[str, str] | None = None) -> Path:
    """`FLYTE_PLATFORM_DATA`, or `~/.flyte/platform`."""
    chosen = (os.environ if environment is None else environment).get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".flyte" / "platform"


def check_listener(address: str, *, field: str) -> None:
    """Raise InvalidArgument for what is no `host:port`."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) <= 65535):
        raise InvalidArgument(
            f"the address {address!r} cannot be read", field=field, mend="Use for example 0.0.0.0:7100."
        )


def _refuse_public_address(endpoint: str) -> None:
    """An embedded platform knows no identities: whoever can connect owns it."""
    host, _, port = endpoint.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise InvalidArgument(
            f"the endpoint {endpoint!r} cannot be read",
            reason="ENDPOINT",
            field="endpoint",
            mend="Use unix:/path/to/socket or 127.0.0.1:PORT.",
        )
    if not _is_loopback(host.strip("[]")):
        raise InvalidArgument(
            f"other machines could reach {endpoint!r}, and this platform asks nobody who they are",
            reason="ENDPOINT",
            field="endpoint",
            mend="Use unix:/path/to/socket or 127.0.0.1:PORT.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
