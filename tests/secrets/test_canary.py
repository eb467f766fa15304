"""A value appears nowhere: not in the database, not in logs, not in errors, whatever goes wrong on its way."""

from __future__ import annotations

import base64
import io
import os
import sqlite3
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tests.secrets.conftest import BEARER, RUN_SCOPE, TOKEN_KEY, Platform, asked
from tests.support.log_lines import logged

from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.rpc.tokens import TokenMinter, TokenVerifier
from flyteplane.secrets.application.ports import AuditTrail, KeyProvider, SecretRecords
from flyteplane.secrets.domain.values import WrappedKey
from flyteplane.secrets.keys.key_ring import KeyRing
from flyteplane.secrets.main import SecretsService
from flyteplane.secrets.store.memory_audit import MemoryAudit
from flyteplane.secrets.store.memory_secrets import MemorySecrets

if TYPE_CHECKING:
    from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceAsyncStub

CLOCK = ManualClock()
CANARY = b"canary-7f3a9c'\"\\ \xf0\x9f\x90\xa4 sings"
FORMS = {
    "raw": CANARY,
    "start": CANARY[:12],
    "hex": CANARY.hex().encode(),
    "upper hex": CANARY.hex().upper().encode(),
    "url": urllib.parse.quote(CANARY).encode(),
    "repr": repr(CANARY)[2:-1].encode(),
    **{
        # The middle of a longer base64 text depends on where in it the value begins.
        f"base64 at {offset}": base64.b64encode(bytes(offset) + CANARY)[8:-4]
        for offset in range(3)
    },
}


def sightings(where: str, content: bytes) -> list[str]:
    return [f"{where}: {form}" for form, text in FORMS.items() if text in content]


def test_the_search_finds_a_canary() -> None:
    for form, text in FORMS.items():
        assert f"here: {form}" in sightings("here", b"before" + text + b"after")
    assert sightings("here", base64.b64encode(b"before" + CANARY + b"after"))


@pytest.fixture(params=[False, True], ids=["json", "people"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Everything that is logged, at the most talkative level, in both forms."""
    with logged(level="debug", for_people=request.param) as lines:
        yield lines.stream


def all_of(error: BaseException) -> bytes:
    """An error as the most careless reader would print it."""
    parts = [repr(error), str(error), *map(repr, vars(error).values()), *traceback.format_exception(error)]
    if isinstance(error, grpc.aio.AioRpcError):
        parts += [error.debug_error_string() or "", *(repr(item) for item in error.trailing_metadata() or ())]
    cause = error.__cause__ or error.__context__
    return "\n".join(parts).encode(errors="replace") + (all_of(cause) if cause is not None else b"")


async def errors_of(*calls: Callable[[], Any]) -> list[BaseException]:
    errors: list[BaseException] = []
    for call in calls:
        with pytest.raises((PlatformError, grpc.aio.AioRpcError)) as caught:
            await call()
        errors.append(caught.value)
    return errors


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_the_database_never_holds_a_value(platform: Platform, log: io.StringIO) -> None:
    found: list[str] = []

    def look() -> None:
        for name, content in files_below(platform.folder).items():
            found.extend(sightings(name, content))

    await platform.create("token", CANARY)
    await platform.create("large", CANARY * 10_000)
    look()
    await platform.update("token", CANARY + b"2")
    assert await platform.resolve("token") == [(CANARY + b"2", 2)]
    look()
    await platform.delete("large")
    await platform.stop()
    look()
    await platform.start()
    assert len(files_below(platform.folder)) >= 2
    assert found == []
    with closing(sqlite3.connect(platform.folder / "secrets.db")) as connection:
        dump = "\n".join(connection.iterdump()).encode()
    assert b"token" in dump
    assert sightings("dump", dump) == []
    assert "secret_given" in log.getvalue()
    assert sightings("log", log.getvalue().encode()) == []


async def test_refusals_do_not_tell_values(platform: Platform, log: io.StringIO) -> None:
    await platform.create("token", CANARY)
    errors = await errors_of(
        lambda: platform.create("token", CANARY),
        lambda: platform.update("other", CANARY),
        lambda: platform.create("bad name", CANARY),
        lambda: platform.create("large", CANARY * 100_000),
        lambda: platform.resolve("token", "gone"),
        lambda: platform.resolve_with(platform.token(), asked("token")),
        lambda: platform.resolve_with(f"{platform.token('token')}x", asked("token")),
        lambda: platform.resolve("token", project="other"),
    )
    assert [found for error in errors for found in sightings(repr(error), all_of(error))] == []
    assert sightings("log", log.getvalue().encode()) == []


class Broken(Exception):
    """Something that nobody expected."""


class BrokenSecrets(MemorySecrets):
    """A store that breaks while it holds what it was given."""

    async def put(self, *arguments: Any, **options: Any) -> bool:
        raise Broken(repr((arguments, options)))


class BrokenKeys(KeyRing):
    """Keys that break in the middle of an unwrapping."""

    async def unwrap(self, wrapped: WrappedKey, *, binding: bytes) -> bytes:
        data_key = await super().unwrap(wrapped, binding=binding)
        raise Broken(f"a key of {len(data_key)} bytes")


class BrokenAudit(MemoryAudit):
    """A trail that cannot be written."""

    async def record(self, *arguments: Any) -> None:
        raise Broken(repr(arguments))


def serve(records: SecretRecords, keys: KeyProvider, trail: AuditTrail) -> SecretsServiceAsyncStub:
    tokens = TokenVerifier(TOKEN_KEY, clock=CLOCK)
    server = InProcessServer()
    SecretsService(records=records, keys=keys, trail=trail, tokens=tokens, clock=CLOCK).add_to(server)
    return SecretsServiceStub(server.channel())


async def test_defects_do_not_tell_values(log: io.StringIO) -> None:
    ring, broken_ring = (kind([bytes(32)], random_bytes=os.urandom) for kind in (KeyRing, BrokenKeys))
    records = MemorySecrets()
    create = api.CreateSecretRequest(key="token", scope=RUN_SCOPE, value=CANARY)
    await serve(records, ring, MemoryAudit()).CreateSecret(create)
    token = TokenMinter(TOKEN_KEY, clock=CLOCK).attempt_token(
        project="p", domain="d", run="r", action="a0", attempt=1, lease=7, secrets=["token"]
    )
    resolve = api.ResolveRequest(token=token, secrets=asked("token"), bearer=BEARER)
    errors = await errors_of(
        lambda: serve(BrokenSecrets(), ring, MemoryAudit()).CreateSecret(create),
        lambda: serve(records, broken_ring, MemoryAudit()).Resolve(resolve),
        lambda: serve(records, ring, BrokenAudit()).Resolve(resolve),
    )
    assert [found for error in errors for found in sightings(repr(error), all_of(error))] == []
    assert log.getvalue().count("unexpected_error") == 3
    assert sightings("log", log.getvalue().encode()) == []


def fields_of(message: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[FieldDescriptor]:
    """All fields of a message and of the messages in it."""
    for field in message.fields:
        yield field
        if field.message_type is not None and field.message_type.full_name not in seen:
            yield from fields_of(field.message_type, seen | {message.full_name})


def test_only_the_answer_to_attempts_has_room_for_a_value() -> None:
    """Whatever people ask, no field of an answer could hold what they wrote."""
    service = api.DESCRIPTOR.services_by_name["SecretsService"]
    roomy = {
        method.name
        for method in service.methods
        if any(field.type == FieldDescriptor.TYPE_BYTES for field in fields_of(method.output_type))
    }
    assert roomy == {"Resolve"}
