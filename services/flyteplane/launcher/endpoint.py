"""Where the platform listens.

Connecting is owning, so a socket lies in a folder that only its owner may enter: the platform's own, or one under
`/tmp` when the platform's path is longer than the 107 bytes that a socket address has room for.
"""

import errno
import hashlib
import os
import socket
import stat
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, Unavailable

MOST_PATH_BYTES: Final = 107
_UNIX: Final = "unix:"
_CONNECT_TIMEOUT_S: Final = 1.0


def address_to_listen_on(endpoint: str, *, data: Path, temporary: Path = Path("/tmp")) -> str:
    """The address for the server: the endpoint that was asked for, or a socket of the platform's own.

    Raises:
        FailedPrecondition: ENDPOINT_IN_USE; somebody answers on that socket, or has that port.
        InvalidArgument: the path is too long or is no socket.
        Unavailable: the folder for the socket is not safe to use.
    """
    if endpoint and not endpoint.startswith(_UNIX):
        _refuse_used_port(endpoint)
        return endpoint
    path = Path(endpoint.removeprefix(_UNIX)).absolute() if endpoint else own_socket(data, temporary=temporary)
    if len(os.fsencode(path)) > MOST_PATH_BYTES:
        raise InvalidArgument(
            f"the path {path} is too long for a socket",
            reason="ENDPOINT",
            field="endpoint",
            limit=f"{MOST_PATH_BYTES} bytes",
            mend="Choose a shorter path.",
        )
    _refuse_used(path)
    return f"{_UNIX}{path}"


def own_socket(data: Path, *, temporary: Path = Path("/tmp")) -> Path:
    """The socket of the platform in `data`. Raises Unavailable if its folder is somebody else's."""
    direct = data / "platform.sock"
    if len(os.fsencode(direct)) <= MOST_PATH_BYTES:
        return direct
    folder = temporary / f"flyteplane-{os.getuid()}"
    _make_private(folder)
    return folder / f"{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}.sock"


def _make_private(folder: Path) -> None:
    """Make a folder under a place where others may write, and see that it is ours and closed to them."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be made", reason="SOCKET_FOLDER", mend="Choose a shorter --data."
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Unavailable(
            f"{folder} is not a folder that only you may enter",
            reason="SOCKET_FOLDER",
            mend="Remove it, or choose a shorter --data.",
        )


def _refuse_used(path: Path) -> None:
    """Refuse a socket on which somebody answers; gRPC would silently take its place."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise InvalidArgument(
            f"{path} is there and is no socket", reason="ENDPOINT", field="endpoint", mend="Choose another path."
        )
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise _in_use(f"the socket {path}")


def _refuse_used_port(endpoint: str) -> None:
    """Refuse a port that somebody has; gRPC would print words of its own and not say why."""
    host, _, port = endpoint.rpartition(":")
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _in_use(f"the address {endpoint}") from None
        raise Unavailable(
            f"the address {endpoint} cannot be listened on: {error.strerror}",
            reason="ENDPOINT",
            field="endpoint",
            mend="Choose another endpoint.",
        ) from error


def _in_use(what: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"{what} is in use",
        reason="ENDPOINT_IN_USE",
        field="endpoint",
        mend="Stop whoever listens there, or choose another endpoint.",
    )
