"""What the guide for other clients says works: its grpcurl session, call by call, and the client without the SDK."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.telemetry.conftest import PROGRAMS, Watched

REPOSITORY = Path(__file__).parents[2]
SERVED = {
    "flyteapi.admin.v1.RunService",
    "flyteapi.cache.v1.CacheService",
    "flyteapi.reuse_pool.v1.ReusePoolService",
    "flyteapi.scheduler.v1.SchedulerService",
    "flyteapi.secrets.v1.SecretsService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
}


class Grpcurl:
    """Does what grpcurl does, with the messages of reflection."""

    def __init__(self, endpoint: str) -> None:
        self._channel = grpc.insecure_channel(endpoint)
        self._known = ProtoReflectionDescriptorDatabase(self._channel)
        self._pool = DescriptorPool(self._known)

    def run(self, words: list[str]) -> list[Any]:
        content = words[words.index("-d") + 1] if "-d" in words else "{}"
        if words[-1] == "list":
            return list(self._known.get_services())
        if words[-2] == "describe":
            service, _, method = words[-1].rpartition(".")
            return [self._pool.FindServiceByName(service).FindMethodByName(method).full_name]
        service, _, method = words[-1].partition("/")
        rpc = self._pool.FindServiceByName(service).FindMethodByName(method)
        request = json_format.Parse(content, GetMessageClass(rpc.input_type)(), descriptor_pool=self._pool)
        make: Any = self._channel.unary_stream if rpc.server_streaming else self._channel.unary_unary
        answer = GetMessageClass(rpc.output_type).FromString
        call = make(f"/{service}/{method}", type(request).SerializeToString, answer)
        found = call(request, timeout=20)
        return list(found) if rpc.server_streaming else [found]

    def close(self) -> None:
        self._channel.close()


@pytest.fixture
def deployed(watched: Watched) -> Watched:
    """With the task of the guide."""
    answer = watched.platform.flyte("deploy", "plain.py", "env", cwd=PROGRAMS)
    assert answer.returncode == 0, answer.stderr
    return watched


def session() -> Iterator[list[str]]:
    text = (REPOSITORY / "docs" / "clients.md").read_text()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for command in re.findall(r"^grpcurl.*?(?:list|describe \S+|/\w+)$", block, re.DOTALL | re.MULTILINE):
            yield shlex.split(command)


def test_the_session_of_the_guide_works_call_by_call(deployed: Watched) -> None:
    grpcurl = Grpcurl(deployed.platform.endpoint)
    try:
        answers = {words[-1].rpartition("/")[2]: grpcurl.run(words) for words in session()}
    finally:
        grpcurl.close()
    assert len(answers) == 9
    assert set(answers["list"]) >= SERVED
    assert answers["Check"][0].status == 1
    assert answers["WhoAmI"][0].subject
    assert answers["CreateRun"][0].run.id.name == "by-hand"
    assert answers["WatchRun"][-1].ended
    from flyteapi.task.v1.value_pb2 import NamedValues

    (output,) = NamedValues.FromString(answers["GetActionData"][0].outputs.inline).values
    assert output.value.int == 6
    assert "by-hand" in {run.id.name for run in answers["ListRuns"][0].runs}


def test_the_client_without_the_sdk_runs_a_task_and_has_its_outputs(deployed: Watched) -> None:
    script = REPOSITORY / "examples" / "plain_client.py"
    answer = subprocess.run(
        [sys.executable, str(script), deployed.platform.endpoint, "plain.double", "number=21"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1].endswith(" = 42")
    modules = re.findall(r"^(?:import|from) (\S+)", script.read_text(), re.MULTILINE)
    assert not [module for module in modules if module.startswith("flyte")]


def test_every_service_at_the_edge_has_its_health(watched: Watched) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(watched.platform.endpoint) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for service in ["", *(name for name in SERVED if name.startswith("flyteapi."))]:
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, service
