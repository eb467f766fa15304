"""Where the console may listen, and what the operator's file says of it."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flyteplane.console.main import bind_console
from flyteplane.console.settings import ConsoleSettings
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import InvalidArgument, Unavailable
from flyteplane.identity.settings import IdentitySettings
from flyteplane.launcher.console import NONE, USUAL, check_console
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.process_settings import ProcessSettings
from flyteplane.launcher.settings import PlatformSettings
from flyteplane.launcher.tls_settings import Identity, TlsSettings

PEOPLE = OperatorFile(identity=IdentitySettings(configured=True, bootstrap_key_file=Path("bootstrap.key")))
TLS = TlsSettings(edge=Identity(cert_file=Path("edge.pem"), key_file=Path("edge.key")))


@pytest.mark.parametrize("listen", ["", NONE, USUAL, "127.0.0.1:0", "[::1]:7780", "localhost:80"])
def test_this_machine_may_always_look(tmp_path: Path, listen: str) -> None:
    PlatformSettings(data=tmp_path, console_listen=listen)


@pytest.mark.parametrize(
    ("operator", "allowed"),
    [
        (OperatorFile(), False),
        (OperatorFile(tls=TLS), False),
        (PEOPLE, False),
        (replace(PEOPLE, console_url="http://flyte.example.org"), False),
        (replace(PEOPLE, console_url="https://flyte.example.org"), True),
        (replace(PEOPLE, tls=TLS), True),
        (replace(PEOPLE, tls=TlsSettings(edge_terminated=True)), False),
        (replace(PEOPLE, tls=TlsSettings(edge_terminated=True), console_url="https://flyte.example.org"), True),
    ],
)
def test_other_machines_may_look_only_where_people_have_keys_and_nobody_listens(
    operator: OperatorFile, allowed: bool
) -> None:
    if allowed:
        check_console("0.0.0.0:7780", operator)
        return
    with pytest.raises(InvalidArgument) as refused:
        check_console("0.0.0.0:7780", operator)
    assert (refused.value.field, bool(refused.value.mend)) == ("console_listen", True)


@pytest.mark.parametrize("listen", ["7780", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x"])
def test_an_address_that_cannot_be_read_is_refused(tmp_path: Path, listen: str) -> None:
    with pytest.raises(InvalidArgument):
        PlatformSettings(data=tmp_path, console_listen=listen)


def test_only_a_process_that_serves_clients_has_a_console(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as refused:
        ProcessSettings(data=tmp_path, services=("scheduler",), console_listen="127.0.0.1:0")
    assert refused.value.field == "console_listen"


async def test_a_port_that_is_taken_is_refused_unless_it_was_only_the_usual_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        def settings(**changes: Any) -> ConsoleSettings:
            return ConsoleSettings(host="127.0.0.1", port=port, session_key=bytes(32), **changes)

        def no_channel() -> Any:
            raise AssertionError("nobody has looked")

        with pytest.raises(Unavailable) as refused:
            bind_console(settings(), open_channel=no_channel, clock=SystemClock())
        assert refused.value.field == "console_listen"
        console = bind_console(settings(any_port_if_taken=True), open_channel=no_channel, clock=SystemClock())
        await console.start()
        assert console.port != port
        assert console.url == f"http://127.0.0.1:{console.port}"
        await console.close()
        await console.close()
