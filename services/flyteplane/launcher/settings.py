"""What a platform is told when it is started."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import InvalidArgument

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", self.data.expanduser().absolute())
        if self.endpoint and not self.endpoint.startswith(_UNIX):
            _refuse_public_address(self.endpoint)


def default_folder(environment: Mapping[str, str] | None = None) -> Path:
    """`FLYTE_PLATFORM_DATA`, or `~/.flyte/platform`."""
    chosen = (os.environ if environment is None else environment).get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".flyte" / "platform"


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
