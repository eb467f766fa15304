"""What a platform is told when it is started."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.console import check_console
from flyteplane.launcher.exposure import check_endpoint
from flyteplane.launcher.operator_file import OperatorFile

FOLDER_VARIABLE: Final = "FLYTE_PLATFORM_DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """Where a platform keeps everything, and where it listens.

    Raises InvalidArgument for an endpoint that it must not listen on.
    """

    data: Path
    endpoint: str = ""
    """`unix:/path` or `127.0.0.1:port` (port 0: any free one), other addresses with TLS. Empty: a socket in the
    folder."""
    worker_listen: str = ""
    """For workers in pods, `host:port`, other machines included: each proves itself by a token. Empty: none."""
    metrics_listen: str = ""
    """Where Prometheus reads metrics over HTTP, `host:port`. Empty: nowhere."""
    console_listen: str = ""
    """Where people look at the platform, `host:port`, or one of `launcher.console.USUAL` and `NONE`. Empty: nowhere."""
    operator: OperatorFile = field(default_factory=OperatorFile)
    """What the operator's file says."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", self.data.expanduser().absolute())
        # Over the network an embedded platform wants the key that lies in its folder.
        check_endpoint(self.endpoint, self.operator, asks_who_calls=True)
        if self.worker_listen:
            check_listener(self.worker_listen, field="worker_listen")
        if self.metrics_listen:
            check_listener(self.metrics_listen, field="metrics_listen")
        check_console(self.console_listen, self.operator)


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
