"""Random histories of people, runs, rotations and restarts against a model that is a dictionary."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.secrets.conftest import Platform

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import AlreadyExists, NotFound, PlatformError
from flyteplane.rpc.client import translated_errors

T = TypeVar("T")
Name = tuple[str, str, str]

scopes = st.sampled_from((("", ""), ("p", ""), ("", "d"), ("p", "d"), ("q", "d"), ("p", "e")))
keys = st.sampled_from(("a", "b", "g/a"))
values = st.binary(min_size=1, max_size=12)
requests = st.sampled_from(("", "", "", "r1", "r2", "r3"))


class Secrets(RuleBasedStateMachine):
    """The service, and what everybody should see of it."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="flyteplane-secrets-"))
        self._loop = asyncio.new_event_loop()
        self._platform = Platform(self._folder, ManualClock())
        self._run(self._platform.start())
        self._values: dict[Name, bytes] = {}
        self._versions: dict[Name, int] = {}
        self._answered: dict[str, tuple[Name, int]] = {}

    def teardown(self) -> None:
        self._run(self._platform.stop())
        self._loop.close()
        shutil.rmtree(self._folder)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def _outcome(self, work: Coroutine[Any, Any, T]) -> T | type[PlatformError]:
        try:
            return self._run(work)
        except PlatformError as error:
            return type(error)

    @rule(scope=scopes, key=keys, value=values, request=requests)
    def create(self, scope: tuple[str, str], key: str, value: bytes, request: str) -> None:
        name = (*scope, key)
        found = self._outcome(self._platform.create(key, value, scope=_scope(scope), request_id=request))
        self._judge(found, name, request, value, refusal=AlreadyExists if name in self._values else None)

    @rule(scope=scopes, key=keys, value=values, request=requests)
    def update(self, scope: tuple[str, str], key: str, value: bytes, request: str) -> None:
        name = (*scope, key)
        found = self._outcome(self._platform.update(key, value, scope=_scope(scope), request_id=request))
        self._judge(found, name, request, value, refusal=None if name in self._values else NotFound)

    @rule(scope=scopes, key=keys)
    def delete(self, scope: tuple[str, str], key: str) -> None:
        name = (*scope, key)
        found = self._outcome(self._platform.delete(key, scope=_scope(scope)))
        assert found is (None if name in self._values else NotFound)
        if self._values.pop(name, None) is not None:
            self._versions[name] += 1

    def _judge(
        self, found: object, name: Name, request: str, value: bytes, *, refusal: type[PlatformError] | None
    ) -> None:
        if request in self._answered:
            known, version = self._answered[request]
            # Another request under the same id is refused, and the same one is answered alike.
            assert found is not None
            assert (known == name) == (getattr(found, "version", None) == version)
            return
        if refusal is not None:
            assert found is refusal
            return
        self._values[name] = value
        self._versions[name] = self._versions.get(name, 0) + 1
        assert isinstance(found, api.SecretInfo)
        assert found.version == self._versions[name]
        if request:
            self._answered[request] = (name, found.version)

    @rule(project=st.sampled_from(("p", "q")), domain=st.sampled_from(("d", "e")), key=keys)
    def resolve(self, project: str, domain: str, key: str) -> None:
        tried = ((project, domain), (project, ""), ("", domain), ("", ""))
        name = next((name for scope in tried if (name := (*scope, key)) in self._values), None)
        found = self._outcome(self._platform.resolve(key, project=project, domain=domain))
        assert found == (NotFound if name is None else [(self._values[name], self._versions[name])])

    @rule(new_key=st.booleans())
    def rotate(self, new_key: bool) -> None:
        async def work() -> api.RotateKeysResponse:
            with translated_errors():
                return await self._platform.stub.RotateKeys(api.RotateKeysRequest(new_key=new_key))

        done = self._run(work())
        assert (done.moved, list(done.stuck)) == (len(self._values) if new_key else 0, [])

    @rule()
    def restart(self) -> None:
        self._run(self._platform.stop())
        self._run(self._platform.start())

    @invariant()
    def what_is_listed_is_what_there_is(self) -> None:
        listed = self._run(_listed(self._platform))
        assert listed == {name: self._versions[name] for name in self._values}


def _scope(scope: tuple[str, str]) -> Scope:
    return Scope(project=scope[0], domain=scope[1])


async def _listed(platform: Platform) -> dict[Name, int]:
    with translated_errors():
        page = await platform.stub.ListSecrets(api.ListSecretsRequest())
    return {
        (one.scope.project, one.scope.domain, f"{one.group}/{one.key}" if one.group else one.key): one.version
        for one in page.secrets
    }


TestSecretsAgainstModel = Secrets.TestCase
TestSecretsAgainstModel.settings = settings(
    max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
