"""A scheduler as workers in pods see it, small enough for tests: real gRPC servers, one attempt, scripted answers.

It keeps what workers say over all their streams, and can be deaf, refuse, be stopped and come back on the same port.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc

from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import (
    ReplicaServiceServicer,
    add_ReplicaServiceServicer_to_server,
)
from flyteapi.scheduler.v1 import worker_data_service_pb2 as data_api
from flyteapi.scheduler.v1.worker_data_service_pb2_grpc import (
    WorkerDataServiceServicer,
    add_WorkerDataServiceServicer_to_server,
)
from flyteapi.scheduler.v1.worker_service_pb2 import (
    ActionResult,
    Assign,
    AttemptEnded,
    Cancel,
    DeclareRun,
    DeclareTask,
    EndAccepted,
    HeartbeatAnswer,
    Hello,
    LeaseRevoked,
    SessionRequest,
    SessionResponse,
    SubmitAction,
    WorkerOrder,
    WorkerReport,
)
from flyteapi.scheduler.v1.worker_service_pb2_grpc import WorkerServiceServicer, add_WorkerServiceServicer_to_server
from flyteapi.task.v1.task_spec_pb2 import Entrypoint, TaskSpec
from flyteapi.task.v1.value_pb2 import Payload

RUN_KEY = "demo/development/run1"
DATA_PREFIX = "file:///nowhere/on/this/machine/data/"
LEASE = 77

Children = Callable[[SubmitAction], ActionResult | None]


def orders_of(
    attribute: str,
    inputs: bytes | Payload = b"",
    *,
    lease: int = LEASE,
    action: str = "a0",
    bundle: str = "",
    spec: Mapping[str, Any] | None = None,
    is_async: bool = True,
    **assign: Any,
) -> list[WorkerOrder]:
    """What gives an attempt of a task in `user_code` to a worker."""
    entrypoint = Entrypoint(bundle_digest=bundle, module="user_code", attribute=attribute)
    task = TaskSpec(name=f"env.{attribute}", entrypoint=entrypoint, is_async=is_async, **(spec or {}))
    digest = hashlib.sha256(task.SerializeToString(deterministic=True)).digest()
    run = RunId(project="demo", domain="development", name="run1")
    declared = DeclareRun(run=run, key=RUN_KEY, data_prefix=f"{DATA_PREFIX}{RUN_KEY}/")
    payload = inputs if isinstance(inputs, Payload) else Payload(inline=inputs)
    order = Assign(run=RUN_KEY, action=action, attempt=1, task_digest=digest, inputs=payload, **assign)
    return [
        WorkerOrder(declare_run=declared),
        WorkerOrder(declare_task=DeclareTask(digest=digest, spec=task)),
        WorkerOrder(lease=lease, assign=order),
    ]


class WorkerOwner(WorkerServiceServicer):
    """Owns one attempt, over as many streams and listeners as there are.

    Args:
        children: answers a call of a child; None leaves calls unanswered.
    """

    def __init__(self, *, children: Children | None = None) -> None:
        self.children = children
        self.accept_ends = True
        self.answer_heartbeats = True
        self.refusal: grpc.StatusCode | None = None
        self.first_orders: list[WorkerOrder] = []
        self.hellos: list[Hello] = []
        self.reports: list[WorkerReport] = []
        """Everything but heartbeats and hellos, duplicates included."""
        self.heartbeats = 0
        self.resident_bytes = 0
        self._changed = asyncio.Condition()
        self._streams: dict[int, asyncio.Queue[WorkerOrder]] = {}
        self._wakers: set[asyncio.Task[None]] = set()

    async def Session(self, requests: AsyncIterator[SessionRequest], context: Any) -> AsyncIterator[SessionResponse]:
        """See the proto."""
        first = await anext(requests)
        hello = first.reports[0].hello
        self.hellos.append(hello)
        self._wake()
        if self.refusal is not None:
            await context.abort(self.refusal, "as the test wants it")
        orders: asyncio.Queue[WorkerOrder] = asyncio.Queue()
        number = len(self.hellos)
        self._streams[number] = orders
        if not hello.running:
            for order in self.first_orders:
                orders.put_nowait(order)
        reading = asyncio.create_task(self._read(requests, orders))
        try:
            while True:
                yield SessionResponse(orders=[await orders.get()])
        finally:
            reading.cancel()
            self._streams.pop(number, None)

    async def _read(self, requests: AsyncIterator[SessionRequest], orders: asyncio.Queue[WorkerOrder]) -> None:
        async for request in requests:
            for report in request.reports:
                for order in self._answers(report):
                    orders.put_nowait(order)
                if not report.HasField("heartbeat"):
                    self.reports.append(report)
            self._wake()

    def _answers(self, report: WorkerReport) -> list[WorkerOrder]:
        match report.WhichOneof("report"):
            case "heartbeat":
                self.heartbeats += 1
                self.resident_bytes = report.heartbeat.resident_bytes
                answer = HeartbeatAnswer(sequence=report.heartbeat.sequence)
                return [WorkerOrder(heartbeat_answer=answer)] if self.answer_heartbeats else []
            case "ended" if self.accept_ends:
                return [WorkerOrder(lease=report.lease, end_accepted=EndAccepted())]
            case "submit" if self.children is not None:
                result = self.children(report.submit)
                if result is not None:
                    result.call = report.submit.call
                    return [WorkerOrder(lease=report.lease, result=result)]
        return []

    def _wake(self) -> None:
        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        task = asyncio.ensure_future(notify())
        self._wakers.add(task)
        task.add_done_callback(self._wakers.discard)

    async def until(self, condition: Callable[[], Any], *, within_s: float = 20.0) -> Any:
        """Waits until `condition` holds, and returns what it gave."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(condition)
            return condition()

    def tell(self, *told: WorkerOrder) -> None:
        """Sends orders on the present streams."""
        for orders in self._streams.values():
            for order in told:
                orders.put_nowait(order)

    def cancel(self) -> None:
        """Cancels the attempt."""
        self.tell(WorkerOrder(lease=LEASE, cancel=Cancel(reason="asked to")))

    def revoke(self) -> None:
        """Takes the attempt away."""
        self.tell(WorkerOrder(lease=LEASE, lease_revoked=LeaseRevoked(reason="placed elsewhere")))

    def assign(
        self,
        attribute: str,
        inputs: bytes | Payload = b"",
        *,
        bundle: str = "",
        spec: Mapping[str, Any] | None = None,
        is_async: bool = True,
        **assign: Any,
    ) -> None:
        """Gives this attempt to whoever says hello without one."""
        self.first_orders = orders_of(attribute, inputs, bundle=bundle, spec=spec, is_async=is_async, **assign)

    def said(self, kind: str) -> list[Any]:
        """Everything of one kind that the worker said."""
        return [getattr(report, kind) for report in self.reports if report.WhichOneof("report") == kind]

    def logged(self) -> str:
        """The captured output."""
        return b"".join(chunk.data for chunk in self.said("log")).decode()

    async def end(self, *, within_s: float = 20.0) -> AttemptEnded:
        """How the attempt ended."""
        ended: list[AttemptEnded] = await self.until(lambda: self.said("ended"), within_s=within_s)
        return ended[0]


class NotTheLeader(WorkerServiceServicer):
    """A scheduler that does not lead."""

    def __init__(self) -> None:
        self.asked = 0

    async def Session(self, requests: Any, context: Any) -> AsyncIterator[SessionResponse]:
        """See the proto."""
        self.asked += 1
        await context.abort(grpc.StatusCode.UNAVAILABLE, "another scheduler leads")
        yield SessionResponse()


class StoredData(WorkerDataServiceServicer):
    """Objects in memory, without any rules."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.bundles: dict[str, bytes] = {}
        self.tokens: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        """What was asked for, an address or a digest, and with which token."""
        self.bundle_failures = 0
        """How many calls for bundles are refused as unavailable before one is served."""
        self.object_failures = 0
        """The same of calls for objects."""

    def tokens_for(self, what: str) -> list[str]:
        """The tokens with which it was asked for, in order."""
        return [token for asked, token in self.asked if asked == what]

    def _note(self, what: str, context: Any) -> None:
        token = dict(context.invocation_metadata())["authorization"]
        self.tokens.add(token)
        self.asked.append((what, token.removeprefix("Bearer ")))

    async def _admit(self, context: Any) -> None:
        if self.object_failures:
            self.object_failures -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    async def FetchBundle(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """See the proto."""
        self._note(request.digest, context)
        if self.bundle_failures:
            self.bundle_failures -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        if request.digest not in self.bundles:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such bundle")
        for piece in _pieces(self.bundles[request.digest]):
            yield data_api.FetchBundleResponse(data=piece)

    async def ReadObject(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """See the proto."""
        self._note(request.uri, context)
        await self._admit(context)
        if request.uri not in self.objects:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such object")
        content = self.objects[request.uri][request.offset :]
        for piece in _pieces(content[: request.length or len(content)]):
            yield data_api.ReadObjectResponse(data=piece)

    async def WriteObject(self, requests: AsyncIterator[Any], context: Any) -> Any:
        """See the proto."""
        await self._admit(context)
        uri, content, last = "", b"", False
        async for request in requests:
            uri, content, last = uri or request.uri, content + request.data, request.last
        if not last:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "cut")
        self._note(uri, context)
        self.objects[uri] = content
        return data_api.WriteObjectResponse(size_bytes=len(content))

    async def ListObjects(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """See the proto."""
        self._note(request.prefix, context)
        await self._admit(context)
        prefix = request.prefix
        found = {
            uri: content
            for uri, content in sorted(self.objects.items())
            if uri == prefix or (prefix.endswith("/") and uri.startswith(prefix))
        }
        entry = data_api.ListObjectsResponse.Entry
        entries = [entry(uri=uri, size_bytes=len(content)) for uri, content in found.items()]
        yield data_api.ListObjectsResponse(entries=entries)


def _pieces(content: bytes) -> list[bytes]:
    return [content[start : start + (1 << 20)] for start in range(0, len(content), 1 << 20)]


class Listener:
    """A gRPC server that can be stopped at once and started again on its port."""

    def __init__(
        self,
        owner: WorkerServiceServicer,
        data: WorkerDataServiceServicer | None = None,
        *,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._owner = owner
        self._data = data
        self._credentials = credentials
        self._server: grpc.aio.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> Listener:
        """Listens."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_WorkerServiceServicer_to_server(self._owner, self._server)
        if isinstance(self._owner, ReplicaServiceServicer):
            add_ReplicaServiceServicer_to_server(self._owner, self._server)
        if self._data is not None:
            add_WorkerDataServiceServicer_to_server(self._data, self._server)
        address = f"127.0.0.1:{self.port}"
        if self._credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, self._credentials)
        await self._server.start()
        return self

    async def stop(self) -> None:
        """Breaks all streams and stops listening."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None
