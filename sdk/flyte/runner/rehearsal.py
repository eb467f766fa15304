"""Going once through everything that a worker does, without being one.

A template rehearses before it forks, so that caches are filled and code is specialised once for all workers. A worker
that was forked ahead rehearses while it waits: memory that it writes to is copied when it first does, which costs a
fork more time than the work itself, and it has that time to spare.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import random
import sys
import tempfile
import time
from typing import Any, Final

from flyte.authoring.context import activate
from flyte.types.interface import interface_codec
from flyte.wire.errors import error_to_proto
from flyte.wire.frames import FrameDecoder, encode_frame
from flyte.wire.task_spec import digest_of, task_to_proto
from flyteapi.scheduler.v1.worker_service_pb2 import (
    Assign,
    AttemptEnded,
    AttemptStarted,
    DeclareRun,
    DeclareTask,
    Hello,
    SessionRequest,
    SessionResponse,
    WorkerOrder,
    WorkerReport,
)
from flyteapi.task.v1.value_pb2 import Payload

_MODULE: Final = "flyte.runner.rehearsed"


def rehearse() -> None:
    """Imports a module, runs its tasks and takes messages to pieces. Leaves nothing behind."""
    sys.modules.pop(_MODULE, None)
    module: Any = importlib.import_module(_MODULE)
    del sys.modules[_MODULE]
    codec = interface_codec(module.greet.native_interface)
    inputs = codec.encode_inputs(("you",), {})
    outputs = codec.encode_outputs(asyncio_run(module.greet.forward(**codec.decode_inputs(inputs))))
    try:
        module.fail.forward("on purpose")
    except ValueError as error:
        failure = error_to_proto(error)
    else:
        raise AssertionError("the rehearsed task did not fail")
    _exchange_messages(module.greet, inputs, outputs, failure)
    random.seed()
    tempfile.tempdir = None
    time.tzset()


def asyncio_run(work: Any) -> Any:
    """Runs a coroutine on a loop of its own that is not the thread's."""
    loop = asyncio.new_event_loop()
    try:
        with activate(None):
            return loop.run_until_complete(work)
    finally:
        loop.close()


def _exchange_messages(task: Any, inputs: bytes, outputs: bytes, failure: Any) -> None:
    spec = task_to_proto(task)
    digest = digest_of(spec)
    json.loads(json.dumps({"env": {"A": "B"}, "cgroup_members": []}))
    orders = [
        WorkerOrder(declare_task=DeclareTask(digest=digest, spec=spec)),
        WorkerOrder(declare_run=DeclareRun(key="a/b/c", data_prefix="file:///tmp/")),
        WorkerOrder(lease=1, assign=Assign(run="a/b/c", action="a0", inputs=Payload(inline=inputs))),
    ]
    for frame in FrameDecoder().feed(encode_frame(SessionResponse(orders=orders).SerializeToString())):
        assert [order.WhichOneof("order") for order in SessionResponse.FromString(frame).orders]
    reports = [
        WorkerReport(hello=Hello(protocol=1)),
        WorkerReport(lease=1, started=AttemptStarted()),
        WorkerReport(lease=1, ended=AttemptEnded(outputs=Payload(inline=outputs))),
        WorkerReport(lease=1, ended=AttemptEnded(error=failure)),
    ]
    encode_frame(SessionRequest(reports=reports).SerializeToString())
