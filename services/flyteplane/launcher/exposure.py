"""Which listeners other machines can reach, and what has to protect those that they can.

Who reaches a socket or an address of this machine without more is asked nothing that he could not find out otherwise.
Every other listener needs what the operator's file says of TLS; without it the process is refused before it listens.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.operator_file import OperatorFile

_UNIX: Final = "unix:"
_LOCAL: Final = "Use unix:/path/to/socket or 127.0.0.1:PORT"


def check_endpoint(endpoint: str, operator: OperatorFile, *, asks_who_calls: bool) -> None:
    """Raise InvalidArgument (ENDPOINT) for an address on which clients must not be listened to.

    Args:
        asks_who_calls: whether every caller there has to prove who he is.
    """
    reachable = is_reachable(endpoint, field="endpoint")
    if reachable and not operator.tls.protects_edge:
        raise InvalidArgument(
            f"other machines could reach {endpoint!r}, and what they say would not be encrypted",
            reason="ENDPOINT",
            field="endpoint",
            mend=f"{_LOCAL}, or give the operator's file `tls.edge` and `identity`.",
        )
    if (reachable or operator.tls.edge_terminated) and not asks_who_calls:
        raise InvalidArgument(
            "other machines could reach the platform, and it would ask nobody who they are",
            reason="ENDPOINT",
            field="endpoint",
            mend=f"{_LOCAL} without a proxy before it, or give the operator's file `identity`.",
        )


def check_listen(listen: str, operator: OperatorFile) -> None:
    """Raise InvalidArgument (ENDPOINT) for an address on which other processes must not be listened to."""
    if is_reachable(listen, field="listen") and operator.tls.internal is None:
        raise InvalidArgument(
            f"other machines could reach {listen!r}, and nothing tells processes of the platform from others there",
            reason="ENDPOINT",
            field="listen",
            mend=f"{_LOCAL}, or give the operator's file `tls.internal`.",
        )


def is_reachable(address: str, *, field: str) -> bool:
    """Whether other machines can reach an address. Raises InvalidArgument (ENDPOINT) if it cannot be read."""
    if not address or address.startswith(_UNIX):
        return False
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise InvalidArgument(
            f"the address {address!r} cannot be read", reason="ENDPOINT", field=field, mend=f"{_LOCAL}."
        )
    return not _is_loopback(host.strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
