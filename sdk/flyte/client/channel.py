"""One connection to the platform for the process, on the SDK's background loop.

gRPC is loaded with the first call, not with `import flyte`. Calls are retried by gRPC while the platform is
unavailable, and those that change something for longer, see `flyte.client.patience`; every call has a deadline, carries
the API key if there is one, and fails with an error of `flyte.errors`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flyte.client.credentials import Credentials
from flyte.client.failures import from_rpc_error, is_platform_gone, may_pass, no_platform
from flyte.client.init import require_settings
from flyte.client.patience import IN_DOUBT, connected, patiently, say_waiting
from flyte.client.settings import ClientSettings
from flyte.client.tracing import trace_metadata
from flyte.errors import BaseRuntimeError

if TYPE_CHECKING:
    import grpc.aio
    from grpc.aio import StreamUnaryMultiCallable, UnaryStreamMultiCallable, UnaryUnaryMultiCallable

    from flyteapi.admin.v1.data_service_pb2_grpc import DataServiceAsyncStub
    from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceAsyncStub
    from flyteapi.admin.v1.project_service_pb2_grpc import ProjectServiceAsyncStub
    from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from flyteapi.admin.v1.task_service_pb2_grpc import TaskServiceAsyncStub
    from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceAsyncStub
    from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceAsyncStub
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceAsyncStub
    from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceAsyncStub
    from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceAsyncStub
    from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import ResourceClassServiceAsyncStub
    from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceAsyncStub

Request = TypeVar("Request")
Answer = TypeVar("Answer")

MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024
"""Room for what a task may take in and give back inline (100 MiB), and its envelope."""

_RETRIES: Final = {
    "initialBackoff": "0.05s",
    "maxBackoff": "0.5s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


class Connection:
    """A channel with its stubs. Make and use it on one event loop only."""

    def __init__(self, settings: ClientSettings) -> None:
        if settings.endpoint is None:
            raise ValueError("a connection needs an endpoint")
        self.settings = settings
        self.endpoint = settings.endpoint
        self.channel = _open_channel(settings)
        self._credentials = Credentials(settings)
        self._was_connected = False

    def page_size(self, limit: int) -> int:
        """Return how many entries to ask for at once, of at most `limit` that are wanted."""
        return min(max(limit, 1), self.settings.batch_size)

    async def call(
        self, method: UnaryUnaryMultiCallable[Request, Answer], request: Request, *, timeout_s: float | None = None
    ) -> Answer:
        """Return the answer of a unary call, or raise an error of `flyte.errors`."""
        import grpc

        async def attempt() -> Answer:
            metadata = (*await self._credentials.metadata(), *trace_metadata())
            answer = await method(request, timeout=timeout_s or self.settings.rpc_timeout_s, metadata=metadata)
            self._was_connected = True
            return answer

        try:
            try:
                return await attempt()
            except grpc.aio.AioRpcError as error:
                if not self._has_new_credential(error):
                    raise
                return await attempt()
        except grpc.aio.AioRpcError as error:
            raise await self._error_of(error) from None

    async def change(
        self,
        method: UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        *,
        timeout_s: float | None = None,
        in_doubt: str = IN_DOUBT,
    ) -> Answer:
        """Return the answer of a unary call that changes something and that the platform may be asked twice.

        Patient with a platform that goes away meanwhile, see `flyte.client.patience`; `in_doubt` tells a person what
        may have happened and how to find out. Raises an error of `flyte.errors`.
        """
        return await self.patiently(lambda: self.call(method, request, timeout_s=timeout_s), in_doubt=in_doubt)

    async def read(self, method: UnaryUnaryMultiCallable[Request, Answer], request: Request) -> Answer:
        """Return the answer of a unary call that changes nothing, patient as `change` is. Raises as `call` does."""
        return await self.patiently(lambda: self.call(method, request), in_doubt=None)

    async def patiently(self, attempt: Callable[[], Awaitable[Answer]], *, in_doubt: str | None = IN_DOUBT) -> Answer:
        """Return what an attempt to change something, or with `in_doubt` None to read, returns, as `change` does."""
        await self._meet()
        return await patiently(
            attempt,
            self.channel,
            endpoint=self.endpoint,
            connect_s=self.settings.rpc_timeout_s,
            patience_s=self._patience_s(),
            in_doubt=in_doubt,
        )

    async def _meet(self) -> None:
        """Connect, if this was never done. Raises an error of `flyte.errors` if nobody is there."""
        if not self._was_connected and not await connected(self.channel, within_s=self.settings.rpc_timeout_s):
            from flyteapi.admin.v1.identity_service_pb2 import WhoAmIRequest

            # Something that changes nothing, so that whoever is told that nobody is there knows that nothing was done.
            try:
                await self.call(self.identity.WhoAmI, WhoAmIRequest())
            except BaseRuntimeError as error:
                answered = await connected(self.channel, within_s=0.0)
                if not answered and not (may_pass(error) and await self._comes_back()):
                    raise
        self._was_connected = True

    async def _comes_back(self) -> bool:
        """Wait for a platform that was never met; not for one of this machine, which somebody has to start."""
        patience_s = self._patience_s()
        if not self.endpoint.startswith("https://") or patience_s <= 0:
            return False
        say_waiting(self.endpoint, patience_s)
        return await connected(self.channel, within_s=patience_s, patient=True)

    def _patience_s(self) -> float:
        return self.settings.patience_s if self.settings.rpc_retries else 0.0

    async def upload(
        self, method: StreamUnaryMultiCallable[Request, Answer], requests: AsyncIterator[Request]
    ) -> Answer:
        """Return the answer to a stream of requests, or raise an error of `flyte.errors`."""
        import grpc

        try:
            return await method(requests, metadata=await self._credentials.metadata())
        except grpc.aio.AioRpcError as error:
            raise await self._error_of(error) from None

    async def stream(
        self, method: UnaryStreamMultiCallable[Request, Answer], request: Request
    ) -> AsyncIterator[Answer]:
        """Yield the messages of a streaming call; a broken stream raises an error of `flyte.errors`."""
        import grpc

        started = False
        for is_last in (False, True):
            call = method(request, metadata=await self._credentials.metadata())
            try:
                async for message in call:
                    started = self._was_connected = True
                    yield message
                return
            except grpc.aio.AioRpcError as error:
                if not self._has_new_credential(error) or (is_last and not started):
                    raise await self._error_of(error) from None
                if started:
                    # Whoever follows something goes on after a platform that was away, and does so here.
                    raise no_platform(self.endpoint, reason="the token has ended, and is renewed") from None
            finally:
                call.cancel()

    def _has_new_credential(self, error: grpc.aio.AioRpcError) -> bool:
        return error.code().name == "UNAUTHENTICATED" and self._credentials.renew()

    async def _error_of(self, error: grpc.aio.AioRpcError) -> BaseException:
        """What to raise in place of a failed call."""
        failure = from_rpc_error(error, endpoint=self.endpoint)
        if not is_platform_gone(failure) or self.endpoint.strip().startswith("unix:"):
            return failure
        from flyte.client.tls import problem_of

        problem = await asyncio.to_thread(problem_of, self.settings)
        if problem is not None and self._was_connected:
            # Somebody answers in its place, such as a load balancer that has nobody behind it just now: it comes back.
            failure.add_note(str(problem))
            return failure
        return problem or failure

    async def close(self) -> None:
        """Close the channel; calls under way end."""
        await self.channel.close()

    @cached_property
    def runs(self) -> RunServiceAsyncStub:
        """Stub of the run service."""
        from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceStub

        return RunServiceStub(self.channel)

    @cached_property
    def tasks(self) -> TaskServiceAsyncStub:
        """Stub of the task service."""
        from flyteapi.admin.v1.task_service_pb2_grpc import TaskServiceStub

        return TaskServiceStub(self.channel)

    @cached_property
    def data(self) -> DataServiceAsyncStub:
        """Stub of the data service."""
        from flyteapi.admin.v1.data_service_pb2_grpc import DataServiceStub

        return DataServiceStub(self.channel)

    @cached_property
    def projects(self) -> ProjectServiceAsyncStub:
        """Stub of the project service."""
        from flyteapi.admin.v1.project_service_pb2_grpc import ProjectServiceStub

        return ProjectServiceStub(self.channel)

    @cached_property
    def identity(self) -> IdentityServiceAsyncStub:
        """Stub of the identity service."""
        from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceStub

        return IdentityServiceStub(self.channel)

    @cached_property
    def triggers(self) -> TriggerServiceAsyncStub:
        """Stub of the trigger service."""
        from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceStub

        return TriggerServiceStub(self.channel)

    @cached_property
    def secrets(self) -> SecretsServiceAsyncStub:
        """Stub of the secrets service."""
        from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub

        return SecretsServiceStub(self.channel)

    @cached_property
    def cache(self) -> CacheServiceAsyncStub:
        """Stub of the cache service."""
        from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceStub

        return CacheServiceStub(self.channel)

    @cached_property
    def pools(self) -> ReusePoolServiceAsyncStub:
        """Stub of the reuse pool service."""
        from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceStub

        return ReusePoolServiceStub(self.channel)

    @cached_property
    def queues(self) -> QueueServiceAsyncStub:
        """Stub of the queue service."""
        from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceStub

        return QueueServiceStub(self.channel)

    @cached_property
    def resource_classes(self) -> ResourceClassServiceAsyncStub:
        """Stub of the resource class service."""
        from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import ResourceClassServiceStub

        return ResourceClassServiceStub(self.channel)

    @cached_property
    def clusters(self) -> ClusterServiceAsyncStub:
        """Stub of the cluster service."""
        from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceStub

        return ClusterServiceStub(self.channel)


_connection: Connection | None = None
_owner_pid = 0
_closing: set[asyncio.Future[None]] = set()
"""Connections that were replaced and are being closed; held, so that they are not collected before."""


def connection() -> Connection:
    """Return the connection of this process under its present settings. Call it on the background loop only.

    Raises InitializationError if no platform is configured.
    """
    global _connection, _owner_pid
    settings = require_settings()
    if _connection is None or _connection.settings != settings or _owner_pid != os.getpid():
        if _connection is not None and _owner_pid == os.getpid():
            _closing.add(asyncio.ensure_future(_connection.close()))
        _connection = Connection(settings)
        _owner_pid = os.getpid()
    return _connection


def _open_channel(settings: ClientSettings) -> grpc.aio.Channel:
    import grpc

    assert settings.endpoint is not None
    options = _channel_options(settings.rpc_retries)
    if settings.http_proxy_url:
        options.append(("grpc.http_proxy", settings.http_proxy_url))
    if settings.endpoint.strip().startswith("unix:"):
        # The platform of this machine: nothing about TLS is loaded.
        return grpc.aio.insecure_channel(settings.endpoint.strip(), options=options)
    from flyte.client.tls import credentials_of, target_of

    target = target_of(settings)
    if not target.secure:
        return grpc.aio.insecure_channel(target.address, options=options)
    credentials, name = credentials_of(settings, target)
    if name:
        options.append(("grpc.ssl_target_name_override", name))
    return grpc.aio.secure_channel(target.address, credentials, options=options)


def _channel_options(retries: int) -> list[tuple[str, Any]]:
    # A policy of one attempt is refused by gRPC: it is left out. Every call may be repeated: what changes something has
    # a request id, or is as well done twice.
    policy = {"retryPolicy": {"maxAttempts": retries + 1, **_RETRIES}} if retries else {}
    return [
        ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], **policy}]})),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # A platform that starts again is met soon: reconnecting begins after 100 ms and never waits longer than 2 s.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]
