"""The console of a process that serves clients: where it listens, and how it reaches the platform.

It calls the same listener as everybody else, with the credential of whoever looks, so that nobody sees more through it
than through the API. Where that listener speaks TLS under a name that this process cannot know, it has a second,
private socket with the same guard.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flyteplane.console.main import Console, bind_console
from flyteplane.console.settings import DEFAULT_PORT, ConsoleSettings
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.exposure import is_reachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from contextlib import AsyncExitStack
    from pathlib import Path

    import grpc

    from flyteplane.launcher.operator_file import OperatorFile
    from flyteplane.rpc.server import RpcServer

#: No console.
NONE: Final = "none"
#: The usual port of this machine, or any other if somebody has it.
USUAL: Final = "usual"
LINK_FILE: Final = "console.json"
_UNIX: Final = "unix:"
_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "[::]", "::"})


def check_console(listen: str, operator: OperatorFile) -> None:
    """Raise InvalidArgument (CONSOLE) for an address on which people must not be listened to."""
    if listen in ("", NONE, USUAL) or not is_reachable(listen, field="console_listen"):
        return
    if not operator.identity.configured:
        raise InvalidArgument(
            f"other machines could reach the console at {listen!r}, and this platform asks nobody who they are",
            reason="CONSOLE",
            field="console_listen",
            mend="Use 127.0.0.1:PORT, or give the operator's file `identity`.",
        )
    if operator.tls.edge is None and not operator.console_url.startswith("https://"):
        raise InvalidArgument(
            f"other machines could reach the console at {listen!r}, and keys that they send would not be encrypted",
            reason="CONSOLE",
            field="console_listen",
            mend="Give the operator's file `tls.edge`, or `console.public_url: https://...` of a proxy in front of it.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePlan:
    """What a process knows of its console before it has any listener."""

    listen: str
    """`host:port`, `NONE` or `USUAL`."""
    operator: OperatorFile
    folder: Path
    """Where the link of the owner and the private socket are put."""
    token_key: bytes
    """The key that sessions are derived from; the same for all processes of the platform."""
    by_link: bool = True
    """Its owner, who can read the folder, comes in by a link; otherwise only people with API keys do."""
    tls: ssl.SSLContext | None = None
    """With the certificate of the listener for clients. None: there is loopback, or a proxy that ends TLS."""
    owner_key: str = ""
    """With what the owner calls where the listener asks for a key."""

    def open(self, stack: AsyncExitStack) -> OpenConsole | None:
        """Take the address; nobody is answered yet. None without a console. Raises Unavailable."""
        if self.listen in ("", NONE):
            return None
        console = OpenConsole(self)
        stack.push_async_callback(console.close)
        return console

    def settings(self, *, owner_credential: Callable[[], str]) -> ConsoleSettings:
        """What the console is told."""
        usual = self.listen == USUAL
        host, _, port = ("127.0.0.1", "", str(DEFAULT_PORT)) if usual else self.listen.rpartition(":")
        return ConsoleSettings(
            host=host.strip("[]"),
            port=int(port),
            any_port_if_taken=usual,
            session_key=hmac.digest(self.token_key, b"flyteplane console sessions", hashlib.sha256),
            link_file=self.folder / LINK_FILE if self.by_link else None,
            owner_credential=owner_credential,
            public_url=self.operator.console_url,
            tls=self.tls,
        )


class OpenConsole:
    """A console that has its address. Made by `ConsolePlan.open`."""

    def __init__(self, plan: ConsolePlan) -> None:
        self._plan = plan
        self._address = ""
        self._owner_key = plan.owner_key
        self._console: Console = bind_console(
            plan.settings(owner_credential=lambda: self._owner_key), open_channel=self._channel, clock=SystemClock()
        )

    @property
    def url(self) -> str:
        """Where people reach it; empty if that depends on who asks: it listens on every address and has no name."""
        listens_everywhere = self._plan.listen.rpartition(":")[0] in _EVERY_ADDRESS
        return "" if listens_everywhere and not self._plan.operator.console_url else self._console.url

    def reach(self, public: RpcServer, address: str, *, tls: bool) -> None:
        """Be told of the listener for clients, before that starts."""
        from flyteplane.launcher.edge import is_private_socket

        if is_private_socket(address) and not self._plan.operator.identity.configured:
            # The listener takes whoever connects there for the owner, under the name that the command line has too.
            self._owner_key = ""
        if tls and not address.startswith(_UNIX):
            from flyteplane.launcher.endpoint import own_socket

            folder = self._plan.folder / "console"
            folder.mkdir(mode=0o700, exist_ok=True)
            address = f"{_UNIX}{own_socket(folder)}"
            public.grpc_server.add_insecure_port(address)
        self._address = address

    async def start(self, endpoint: str) -> None:
        """Answer people from now on. `endpoint`: where the listener for clients is, with its real port."""
        if not self._address.startswith(_UNIX):
            self._address = urlsplit(endpoint).netloc or endpoint
        await self._console.start()

    async def close(self) -> None:
        """Answer nobody any more."""
        await self._console.close()

    def _channel(self) -> grpc.aio.Channel:
        from flyteplane.rpc.client import open_channel

        return open_channel(self._address)
