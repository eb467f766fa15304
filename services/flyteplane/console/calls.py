"""Calls to the platform in somebody's name: one set of stubs for each request, all on one channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from flyteapi.admin.v1.data_service_pb2_grpc import DataServiceStub
from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceStub
from flyteapi.admin.v1.project_service_pb2_grpc import ProjectServiceStub
from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceStub
from flyteapi.admin.v1.task_service_pb2_grpc import TaskServiceStub
from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceStub
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceStub
from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceStub
from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceStub
from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import ResourceClassServiceStub
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub

if TYPE_CHECKING:
    import grpc

    from flyteapi.admin.v1.data_service_pb2_grpc import DataServiceAsyncStub
    from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceAsyncStub
    from flyteapi.admin.v1.project_service_pb2_grpc import ProjectServiceAsyncStub
    from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from flyteapi.admin.v1.task_service_pb2_grpc import TaskServiceAsyncStub
    from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceAsyncStub
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceAsyncStub
    from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceAsyncStub
    from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceAsyncStub
    from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import ResourceClassServiceAsyncStub
    from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceAsyncStub

#: A page that takes longer says so instead of keeping the person waiting.
CALL_TIMEOUT_S: Final = 10.0


class Platform:
    """The platform as one person may use it. Unary calls end after `CALL_TIMEOUT_S` unless they say otherwise.

    Args:
        channel: the way to the endpoint of the platform.
        credential: the person's API key or token; empty where nobody is asked.
    """

    def __init__(self, channel: grpc.aio.Channel, *, credential: str) -> None:
        caller: Any = _Caller(channel, credential)
        self.runs: RunServiceAsyncStub = RunServiceStub(caller)
        self.tasks: TaskServiceAsyncStub = TaskServiceStub(caller)
        self.projects: ProjectServiceAsyncStub = ProjectServiceStub(caller)
        self.data: DataServiceAsyncStub = DataServiceStub(caller)
        self.identity: IdentityServiceAsyncStub = IdentityServiceStub(caller)
        self.triggers: TriggerServiceAsyncStub = TriggerServiceStub(caller)
        self.queues: QueueServiceAsyncStub = QueueServiceStub(caller)
        self.resource_classes: ResourceClassServiceAsyncStub = ResourceClassServiceStub(caller)
        self.clusters: ClusterServiceAsyncStub = ClusterServiceStub(caller)
        self.secrets: SecretsServiceAsyncStub = SecretsServiceStub(caller)
        self.pools: ReusePoolServiceAsyncStub = ReusePoolServiceStub(caller)


class _Caller:
    """A channel, as far as stubs use one, whose calls carry a credential."""

    def __init__(self, channel: grpc.aio.Channel, credential: str) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {credential}"),) if credential else ()

    def unary_unary(self, *given: Any, **named: Any) -> _Method:
        return _Method(self._channel.unary_unary(*given, **named), self._metadata, timeout=CALL_TIMEOUT_S)

    def unary_stream(self, *given: Any, **named: Any) -> _Method:
        return _Method(self._channel.unary_stream(*given, **named), self._metadata)

    def stream_unary(self, *given: Any, **named: Any) -> _Method:
        return _Method(self._channel.stream_unary(*given, **named), self._metadata)

    def stream_stream(self, *given: Any, **named: Any) -> _Method:
        return _Method(self._channel.stream_stream(*given, **named), self._metadata)


class _Method:
    """One method of a stub."""

    def __init__(self, method: Any, metadata: Sequence[tuple[str, str]], *, timeout: float | None = None) -> None:
        self._method = method
        self._metadata = metadata
        self._timeout = timeout

    def __call__(self, request: Any = None, *, timeout: float | None = None) -> Any:
        return self._method(request, timeout=timeout or self._timeout, metadata=self._metadata)
