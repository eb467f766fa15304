"""One function, two faces: blocking from anywhere but its own loop, awaitable from any loop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

import cloudpickle
import pytest

import flyte
from flyte.syncify import BlockingCallOnServingLoop, Syncify

syncify = Syncify("test-syncify")
speaker: contextvars.ContextVar[str] = contextvars.ContextVar("speaker", default="nobody")


@syncify
async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


@syncify
async def count(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        yield number


@syncify
async def who() -> str:
    return speaker.get()


@syncify
async def fail() -> None:
    raise LookupError("nothing there")


class Account:
    def __init__(self, owner: str) -> None:
        self.owner = owner

    @syncify.method
    async def greet(self, word: str) -> str:
        return f"{word} {self.owner}"

    @syncify.class_method
    @classmethod
    async def open(cls, owner: str) -> Account:
        return cls(owner)

    @syncify.iterator_method
    async def letters(self) -> AsyncIterator[str]:
        for letter in self.owner:
            yield letter


def test_the_blocking_face_returns_the_result() -> None:
    assert double(4) == 8


async def test_the_awaited_face_works_from_another_loop() -> None:
    assert await double.aio(4) == 8


async def test_the_blocking_face_works_below_a_foreign_running_loop() -> None:
    assert double(5) == 10


def test_a_blocking_iteration_sees_every_item() -> None:
    assert list(count(3)) == [0, 1, 2]


async def test_an_awaited_iteration_sees_every_item() -> None:
    assert [number async for number in count.aio(3)] == [0, 1, 2]


def test_errors_keep_their_type() -> None:
    with pytest.raises(LookupError, match="nothing there"):
        fail()


def test_methods_and_class_methods_bind() -> None:
    account = Account.open("ada")
    assert account.greet("hello") == "hello ada"
    assert list(account.letters()) == ["a", "d", "a"]


async def test_methods_have_an_awaited_face() -> None:
    account = await Account.open.aio("ada")
    assert await account.greet.aio("hi") == "hi ada"


def test_context_variables_travel_into_the_call() -> None:
    token = speaker.set("me")
    try:
        assert who() == "me"
    finally:
        speaker.reset(token)


def test_blocking_on_the_serving_loop_is_an_error_that_names_the_mend() -> None:
    @syncify
    async def outer() -> int:
        return double(1)

    with pytest.raises(BlockingCallOnServingLoop, match=r"await double\.aio"):
        outer()


def plain_report() -> object:
    """What a notebook defines: it uses functions of the SDK that it has imported by their names."""
    return flyte.run, flyte.new_condition, double(2), list(count(2))


def test_what_uses_a_face_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(flyte.run)) is flyte.run
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        sent = cloudpickle.dumps((plain_report, Account("ann").greet))
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    report, greet = pickle.loads(sent)
    assert report()[1:] == (flyte.new_condition, 4, [0, 1])
    assert greet("hello") == "hello ann"


async def test_cancelling_the_caller_cancels_the_call_and_nothing_is_said_of_it() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    started, cancelled = asyncio.Event(), asyncio.Event()
    own_loop = asyncio.get_running_loop()

    @syncify
    async def wait_for_ever() -> None:
        own_loop.call_soon_threadsafe(started.set)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            own_loop.call_soon_threadsafe(cancelled.set)
            raise

    task = asyncio.create_task(wait_for_ever.aio())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cancelled.wait(), 5)
    gc.collect()
    assert complaints == []


async def test_leaving_an_iteration_in_the_middle_of_a_step_ends_the_generator() -> None:
    own_loop = asyncio.get_running_loop()
    stepping, ended = asyncio.Event(), asyncio.Event()

    @syncify
    async def items() -> AsyncIterator[int]:
        try:
            yield 1
            own_loop.call_soon_threadsafe(stepping.set)
            await asyncio.Event().wait()
        finally:
            own_loop.call_soon_threadsafe(ended.set)

    async def consume() -> None:
        async for _ in items.aio():
            pass

    consumer = asyncio.create_task(consume())
    await stepping.wait()
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    await asyncio.wait_for(ended.wait(), 5)


def test_an_interrupted_blocking_call_has_ended_when_it_raises() -> None:
    ended: list[str] = []
    main_thread = threading.get_ident()

    @syncify
    async def interrupted() -> None:
        signal.pthread_kill(main_thread, signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    # A test run that was started in the background of a shell ignores Ctrl-C, and so would this process.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert ended == ["cleaned up"]


def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    assert double(1) == 2
    child = os.fork()
    if child == 0:
        os._exit(double(21))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42


def test_a_plain_function_is_refused() -> None:
    with pytest.raises(TypeError, match="async function"):
        syncify(len)  # type: ignore[arg-type]


def test_a_program_ends_although_an_iteration_was_left_in_the_middle() -> None:
    program = (
        "from flyte.syncify import syncify\n"
        "@syncify\n"
        "async def count():\n"
        "    for number in range(3):\n"
        "        yield number\n"
        "left = count()\n"
        "print(next(left))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0\n", "")
