"""`flyte create|get|update|delete secret` and `secret-keys`, on a real secrets service and for local runs."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.sdk.cli.conftest import Finished, Flyte
from tests.support.log_lines import LogLines

from flyte.errors import RuntimeUserError
from flyte.remote import Secret
from flyteplane.foundation.clock import SystemClock
from flyteplane.rpc.server import RpcServer
from flyteplane.rpc.tokens import TokenMinter, TokenVerifier
from flyteplane.secrets.main import open_secrets

TOKEN_KEY = bytes(range(32))
Command = Callable[..., Finished]


@pytest.fixture
def endpoint(tmp_path: Path, log_lines: LogLines) -> Iterator[str]:
    """Where a secrets service listens, in a thread of its own."""
    started, stop = threading.Event(), asyncio.Event()
    found: dict[str, str] = {}
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        clock = SystemClock()
        service = await open_secrets(
            database_url=f"sqlite:///{tmp_path}/secrets.db",
            keys_folder=tmp_path,
            verifier=TokenVerifier(TOKEN_KEY, clock=clock),
            clock=clock,
            environment={},
        )
        server = RpcServer(f"unix:{tmp_path}/s.sock")
        service.add_to(server.grpc_server)
        found["endpoint"] = await server.start()
        started.set()
        await stop.wait()
        await server.stop(0)
        await service.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(20)
    yield found["endpoint"]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()


@pytest.fixture
def command(flyte: Flyte, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command against that service, which has to end with the code `fails`."""

    def run(*arguments: str, fails: int = 0, stdin: bytes = b"") -> Finished:
        piped = SimpleNamespace(buffer=io.BytesIO(stdin), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", piped)
        finished = flyte("--endpoint", endpoint, "--insecure", *arguments)
        assert finished.code == fails, finished
        return finished

    return run


def versions(command: Command, *arguments: str) -> list[tuple[str, int]]:
    listed = json.loads(command("get", "secret", *arguments, "--json").out)
    return [(f"{one['project']}/{one['domain']}/{one['group']}/{one['secret']}", one["version"]) for one in listed]


def test_a_secret_is_created_updated_listed_and_deleted_in_every_scope(command: Command) -> None:
    scopes = ((), ("-p", "shop"), ("-d", "production"), ("-p", "shop", "-d", "production"))
    for scope in scopes:
        command("create", "secret", "KEY", *scope, stdin=b"first\n")
        assert "version 2" in command("update", "secret", "KEY", *scope, stdin=b"second\n").out
        assert "exists already" in command("create", "secret", "KEY", *scope, stdin=b"x", fails=1).err
    assert versions(command) == [
        ("///KEY", 2),
        ("/production//KEY", 2),
        ("shop///KEY", 2),
        ("shop/production//KEY", 2),
    ]
    assert versions(command, "-p", "shop") == [("shop///KEY", 2)]
    for scope in scopes:
        shown = command("get", "secret", "KEY", *scope).out
        assert "second" not in shown
        command("delete", "secret", "KEY", *scope)
        assert "flyte create secret KEY" in command("update", "secret", "KEY", *scope, stdin=b"x", fails=1).err
    assert versions(command) == []


def test_a_value_comes_from_a_file_or_standard_input_and_has_bounds(command: Command, here: Path) -> None:
    (here / "value").write_bytes(bytes(1024 * 1024))
    command("create", "secret", "LARGE", "--from-file", "value")
    (here / "value").write_bytes(bytes(1024 * 1024 + 1))
    for arguments in (("create", "secret", "LARGER"), ("update", "secret", "LARGE")):
        assert "1048576" in command(*arguments, "--from-file", "value", fails=1).err
        assert "1048576" in command(*arguments, fails=1, stdin=bytes(1024 * 1024 + 1)).err
    command("update", "secret", "LARGE", stdin=b"x" * 1024 * 1024 + b"\r\n")
    assert "is empty" in command("update", "secret", "LARGE", fails=1, stdin=b"\n").err
    assert versions(command) == [("///LARGE", 2)]


@pytest.mark.parametrize("name", ["a/b", "../a", "..", "a b", "é", "\U0001f511", "x" * 10_000])
def test_a_malformed_name_is_one_error_that_says_the_grammar(command: Command, name: str) -> None:
    refused = command("create", "secret", name, fails=1, stdin=b"value").err
    assert ("letters, digits" in " ".join(refused.split())) or "the limit is 253" in refused
    assert len(refused) < 2_000


def test_keys_are_rotated_and_counted(command: Command, tmp_path: Path) -> None:
    for name in ("A", "B"):
        command("create", "secret", name, stdin=b"value")
    (before,) = json.loads(command("get", "secret-keys", "--json").out)
    assert (before["current"], before["available"], before["secrets"]) == (True, True, 2)
    assert command("update", "secret-keys").out == f"Moved 0 secrets under key {before['key']}.\n"
    said = command("update", "secret-keys", "--new").out
    assert said.startswith("Moved 2 secrets under key ")
    shown = command("get", "secret-keys").out
    assert before["key"] not in shown
    assert said.split()[-1].rstrip(".") in shown
    assert (tmp_path / "secrets-0002.key").stat().st_mode & 0o777 == 0o600


def test_the_audit_trail_is_shown(command: Command, endpoint: str) -> None:
    command("create", "secret", "KEY", stdin=b"hidden value")
    command("create", "secret", "OTHER", stdin=b"hidden value")
    assert command("get", "secret", "KEY", "--audit").out == ""
    resolve(endpoint, "KEY", named="KEY")
    resolve(endpoint, "OTHER", named="KEY")
    entries = json.loads(command("get", "secret", "KEY", "--audit", "--json").out)
    (entry,) = entries
    assert (entry["outcome"], entry["run"], entry["action"], entry["attempt"]) == ("given", "r1", "a0", 2)
    assert (entry["version"], entry["scope"], entry["project"]) == (1, "*/*", "shop")
    everything = command("get", "secret", "--audit").out
    assert "given" in everything
    assert "not_asked_for" in everything
    assert "r1/a0 2" in everything
    assert "hidden" not in everything
    assert json.loads(command("get", "secret", "--audit", "--limit", "1", "--json").out)[0]["secret"] == "OTHER"
    assert command("get", "secret", "KEY", "--audit", "-p", "elsewhere").out == ""
    assert "of the platform" in command("get", "secret", "--audit", "--local", fails=1).err


def resolve(endpoint: str, key: str, *, named: str) -> None:
    """Asks for a secret with a token that names one, as a scheduler does."""
    import grpc

    from flyteapi.common.v1.identity_pb2 import Scope
    from flyteapi.secrets.v1 import secrets_service_pb2 as api
    from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub
    from flyteapi.task.v1.task_spec_pb2 import SecretRequest

    facts = {"run": "r1", "action": "a0", "attempt": 2, "lease": 9}
    minter = TokenMinter(TOKEN_KEY, clock=SystemClock())
    token = minter.attempt_token(project="shop", domain="d", secrets=[named], **facts)  # type: ignore[arg-type]
    bearer = api.Bearer(scope=Scope(project="shop", domain="d"), **facts)  # type: ignore[arg-type]
    request = api.ResolveRequest(token=token, bearer=bearer, secrets=[SecretRequest(key=key, env_var=key)])
    with grpc.insecure_channel(endpoint) as channel:
        try:
            SecretsServiceStub(channel).Resolve(request)
        except grpc.RpcError:
            assert key != named


# --- without a platform ---------------------------------------------------------------------------------------------


def test_a_local_secret_is_updated_only_if_there_is_one(flyte: Flyte, here: Path) -> None:
    assert "flyte create secret --local KEY" in flyte("update", "secret", "KEY", "--local", "--value", "x").err
    assert flyte("create", "secret", "KEY", "--local", "--value", "first").code == 0
    assert flyte("update", "secret", "KEY", "--local", "--value", "second").out.startswith("Replaced secret KEY")
    assert flyte("update", "secret", "KEY", "--local", "-p", "p", "--value", "x").code == 1
    kept = json.loads((here / "home" / ".flyte" / "local-secrets.json").read_text())
    assert [one["value"] for one in kept["secrets"]] == ["c2Vjb25k"]


def at_a_terminal(home: Path, answers: list[tuple[bytes, bytes]], *arguments: str) -> tuple[int, str]:
    """The exit code of a command, and everything that its terminal showed. Answers follow the ends of questions."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flyte.cli", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "HOME": str(home), "TERM": "dumb"},
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        shown += piece
        if answers and shown.rstrip().endswith(answers[0][0]):
            os.write(ours, answers.pop(0)[1])
        if not piece:
            break
    os.close(ours)
    return process.wait(20), shown.decode()


@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_prompt_shows_nothing_of_what_is_typed(here: Path, flyte: Flyte, verb: str) -> None:
    if verb == "update":
        flyte("create", "secret", "KEY", "--local", "--value", "first")
    answers = [(b"Value of KEY:", b"typed-4711\n"), (b"confirmation:", b"typed-4711\n")]
    code, shown = at_a_terminal(here / "home", answers, verb, "secret", "KEY", "--local")
    assert code == 0, shown
    assert "Value of KEY" in shown
    assert "typed" not in shown
    kept = json.loads((here / "home" / ".flyte" / "local-secrets.json").read_text())
    assert [one["value"] for one in kept["secrets"]] == ["dHlwZWQtNDcxMQ=="]


# --- from Python ----------------------------------------------------------------------------------------------------


@pytest.fixture
def client(endpoint: str) -> Iterator[None]:
    """This process is a client of the secrets service."""
    import flyte as sdk
    from flyte.client.init import set_settings

    sdk.init(endpoint=endpoint, insecure=True)
    yield
    set_settings(None)


@pytest.mark.usefixtures("client")
def test_secrets_are_objects_that_know_everything_but_their_value() -> None:
    made = Secret.create("KEY", "hidden value", group="db", project="shop")
    assert (made.name, made.group, made.scope, made.version, made.type) == ("KEY", "db", "shop/*", 1, "regular")
    assert Secret.update("KEY", b"hidden value 2", group="db", project="shop").version == 2
    found = Secret.get("KEY", group="db", project="shop")
    assert found.version == 2
    assert found.updated_time >= found.created_time
    assert "hidden" not in f"{found!r} {found.message} {found.to_dict()} {vars(found)}"
    assert not [name for name in dir(found) if "value" in name]
    with pytest.raises(RuntimeUserError) as refused:
        Secret.create("KEY", "x", group="db", project="shop")
    assert refused.value.code == "AlreadyExists"
    Secret.delete("KEY", group="db", project="shop")
    for call in (Secret.get, Secret.delete):
        with pytest.raises(RuntimeUserError) as refused:
            call("KEY", group="db", project="shop")
        assert refused.value.code == "NotFound"


@pytest.mark.usefixtures("client")
async def test_secrets_and_accesses_are_listed_page_by_page(endpoint: str) -> None:
    for number in range(13):
        await Secret.create.aio(f"KEY{number:02}", "value", domain="d")
    assert [one.name async for one in Secret.listall.aio(limit=5)] == [f"KEY{number:02}" for number in range(5)]
    assert len([one async for one in Secret.listall.aio(limit=100, domain="d")]) == 13
    assert [one async for one in Secret.listall.aio(limit=100, project="shop")] == []
    for number in range(7):
        resolve(endpoint, f"KEY{number:02}", named=f"KEY{number:02}")
    entries = [one async for one in Secret.accesses.aio(limit=3)]
    assert [one.secret for one in entries] == ["KEY06", "KEY05", "KEY04"]
    assert {(one.outcome, one.by, one.project, one.domain, one.version, one.scope) for one in entries} == {
        ("given", "r1/a0 2", "shop", "d", 1, "*/d")
    }
    assert [one.secret async for one in Secret.accesses.aio("KEY01")] == ["KEY01"]


@pytest.mark.parametrize("given", [{"type": "image_pull"}, {"cluster_pool": "pool"}])
def test_what_this_platform_has_not_is_refused_here(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Secrets"):
        Secret.create("KEY", "value", **given)  # type: ignore[arg-type]
