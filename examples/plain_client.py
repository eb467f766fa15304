"""A client without the SDK: gRPC, and what the platform tells of itself by reflection. No generated code.

    python examples/plain_client.py "unix:$HOME/.flyte/platform/platform.sock" my_environment.my_task number=21

Another service would generate its stubs from `protos/` in its own language; the calls are the same.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

PROJECT, DOMAIN = "flytesnacks", "development"
SUCCEEDED = 5


class Platform:
    """Calls any rpc by its full name, with the messages that the platform describes."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

    def message(self, name: str, **fields: Any) -> Any:
        return GetMessageClass(self._pool.FindMessageTypeByName(name))(**fields)

    def call(self, service: str, method: str, request: Any) -> Any:
        return next(iter(self.stream(service, method, request)))

    def stream(self, service: str, method: str, request: Any) -> Iterator[Any]:
        rpc = self._pool.FindServiceByName(service).FindMethodByName(method)
        answer = GetMessageClass(rpc.output_type).FromString
        make: Any = self._channel.unary_stream if rpc.server_streaming else self._channel.unary_unary
        found = make(f"/{service}/{method}", type(request).SerializeToString, answer)(request)
        return found if rpc.server_streaming else iter([found])


def run(platform: Platform, task: str, inputs: dict[str, int]) -> Any:
    """Run the newest version of a deployed task; returns its outputs."""
    runs, values = "flyteapi.admin.v1.RunService", platform.message("flyteapi.task.v1.NamedValues")
    for name, number in inputs.items():
        values.values.add(name=name).value.int = number
    request = platform.message("flyteapi.admin.v1.CreateRunRequest")
    # Asked twice with the same id it is one run: a client that heard no answer asks again.
    request.request_id = os.urandom(16).hex()
    request.run.project, request.run.domain = PROJECT, DOMAIN
    request.deployed.name = task
    request.inputs.inline = values.SerializeToString()
    submitted = platform.call(runs, "CreateRun", request).run
    print(f"run {submitted.id.name} is durable")

    watch = platform.message("flyteapi.admin.v1.WatchRunRequest", run=submitted.id, from_sequence=1)
    last = None
    # A stream that breaks is opened again from the next sequence: nothing is missed.
    for piece in platform.stream(runs, "WatchRun", watch):
        for event in piece.events:
            print(f"{event.sequence:>4} {event.action} {event.phase} {event.reason}".rstrip())
            last = event if event.action == "a0" else last
    assert last is not None
    if last.phase != SUCCEEDED:
        raise SystemExit(f"{last.error.code}: {last.error.message}")

    data = platform.message("flyteapi.admin.v1.GetActionDataRequest")
    data.action.run.CopyFrom(submitted.id)
    data.action.name = "a0"
    outputs = platform.call(runs, "GetActionData", data).outputs
    return type(values).FromString(outputs.inline)


def connect(endpoint: str) -> grpc.Channel:
    """A socket of this machine as it is; anything else with TLS and the key in FLYTE_API_KEY."""
    if endpoint.startswith("unix:"):
        return grpc.insecure_channel(endpoint)
    key = grpc.access_token_call_credentials(os.environ["FLYTE_API_KEY"])
    authorities = os.environ.get("SSL_CERT_FILE")
    certificates = Path(authorities).read_bytes() if authorities else None
    tls = grpc.ssl_channel_credentials(certificates)
    return grpc.secure_channel(endpoint, grpc.composite_channel_credentials(tls, key))


def main(endpoint: str, task: str, *inputs: str) -> None:
    pairs = (text.split("=", 1) for text in inputs)
    with connect(endpoint) as channel:
        outputs = run(Platform(channel), task, {name: int(number) for name, number in pairs})
    for named in outputs.values:
        print(f"{named.name} = {getattr(named.value, named.value.WhichOneof('kind'))}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
