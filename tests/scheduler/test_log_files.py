"""Captured output: appended as it comes, read in pieces, followed without looking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.scheduler.harness import Bench, settle, task
from tests.support.log_lines import LogLines

from flyteplane.foundation.clock import SystemClock
from flyteplane.objects import MemoryObjectStore
from flyteplane.scheduler.application.ports import FollowedLogs, RunKey
from flyteplane.scheduler.store.log_files import LogFiles
from flyteplane.scheduler.store.log_objects import LogObjects

RUN = RunKey("project", "domain", "r1")
WAIT_S = 10.0


@pytest.fixture(params=["files", "objects"])
async def open_logs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], FollowedLogs]]:
    """Opens the logs of one leader after another."""
    objects = MemoryObjectStore(clock=SystemClock())
    opened: list[FollowedLogs] = []

    def open_one() -> FollowedLogs:
        files = request.param == "files"
        opened.append(LogFiles(tmp_path / "logs") if files else LogObjects(objects, clock=SystemClock()))
        return opened[-1]

    yield open_one
    for logs in opened:
        await logs.close()


@pytest.fixture
def logs(open_logs: Callable[[], FollowedLogs]) -> FollowedLogs:
    return open_logs()


class Following:
    """Somebody who follows a log, and the moment from which it has ended."""

    def __init__(self, logs: FollowedLogs, *, attempt: int = 1) -> None:
        self.ended = False
        self.pieces: list[bytes] = []
        self._more = asyncio.Event()
        self._logs = logs
        self._attempt = attempt
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        stream = self._logs.stream(RUN, "a0", self._attempt, ended=lambda: self.ended, changed=asyncio.Event())
        async for piece in stream:
            self.pieces.append(piece)
            self._more.set()

    @property
    def text(self) -> bytes:
        return b"".join(self.pieces)

    async def until(self, text: bytes) -> None:
        """Waits for the text to have arrived."""
        async with asyncio.timeout(WAIT_S):
            while self.text != text:
                self._more.clear()
                await self._more.wait()

    async def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._logs.notify(RUN, "a0")
        async with asyncio.timeout(WAIT_S):
            await self._task

    async def leave(self) -> None:
        """Goes away before the end."""
        self._task.cancel()
        await asyncio.wait([self._task])


async def test_output_is_kept_in_order_by_itself_per_attempt(logs: FollowedLogs) -> None:
    for attempt in (2, 10, 1):
        for word in (b"one ", b"two"):
            logs.append(RUN, "a0", attempt, word)
    assert await logs.read(RUN, "a0", 10, offset=0, limit=99) == b"one two"
    assert await logs.attempts(RUN, "a0") == [1, 2, 10]
    assert await logs.attempts(RUN, "none") == []


async def test_a_log_is_read_in_pieces(logs: FollowedLogs) -> None:
    logs.append(RUN, "a0", 1, b"0123456789")
    assert await logs.read(RUN, "a0", 1, offset=0, limit=4) == b"0123"
    assert await logs.read(RUN, "a0", 1, offset=8, limit=4) == b"89"
    assert await logs.read(RUN, "a0", 1, offset=10, limit=4) == b""
    assert await logs.read(RUN, "a0", 7, offset=0, limit=4) == b""


async def test_a_log_is_a_file_and_more_are_written_than_files_may_be_open(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path / "logs")
    for word in (b"a", b"b"):
        for number in range(150):
            logs.append(RUN, f"c{number}", 1, word)
    assert len(logs._open) <= 64
    assert (tmp_path / "logs/project/domain/r1/c0/1.log").read_bytes() == b"ab"
    await logs.close()


async def test_a_log_goes_on_growing_after_a_restart(tmp_path: Path) -> None:
    for word in (b"before ", b"after"):
        logs = LogFiles(tmp_path)
        logs.append(RUN, "a0", 1, word)
        await logs.close()
    assert await LogFiles(tmp_path).read(RUN, "a0", 1, offset=0, limit=99) == b"before after"


async def test_a_follower_gets_what_is_there_and_what_comes(logs: FollowedLogs) -> None:
    logs.append(RUN, "a0", 1, b"there ")
    following = Following(logs)
    await following.until(b"there ")
    logs.append(RUN, "a0", 1, b"comes ")
    await following.until(b"there comes ")
    logs.append(RUN, "a0", 1, b"last")
    await following.end()
    assert following.text == b"there comes last"


async def test_a_follower_may_come_before_the_log(logs: FollowedLogs) -> None:
    following = Following(logs)
    await settle()
    logs.append(RUN, "a0", 1, b"first")
    await following.until(b"first")
    await following.end()


async def test_output_that_comes_while_a_piece_is_read_is_not_missed(logs: FollowedLogs) -> None:
    following = Following(logs)
    total = b""
    for number in range(200):
        word = f"{number} ".encode()
        total += word
        logs.append(RUN, "a0", 1, word)
        if number % 7 == 0:
            await asyncio.sleep(0)
    await following.end()
    assert following.text == total


async def test_a_long_log_comes_in_pieces_of_bounded_size(logs: FollowedLogs) -> None:
    text = bytes(range(256)) * 1_000
    logs.append(RUN, "a0", 1, text)
    following = Following(logs)
    await following.end()
    assert following.text == text
    assert max(map(len, following.pieces)) <= 64 * 1024


async def test_followers_of_one_log_do_not_disturb_each_other(logs: FollowedLogs) -> None:
    first, second = Following(logs), Following(logs)
    logs.append(RUN, "a0", 1, b"one ")
    await first.until(b"one ")
    await second.until(b"one ")
    await first.leave()
    logs.append(RUN, "a0", 1, b"two")
    await second.until(b"one two")
    await second.end()


async def test_a_log_that_cannot_be_written_fails_no_task_and_is_reported_once(
    tmp_path: Path, log_lines: LogLines
) -> None:
    in_the_way = tmp_path / "logs"
    in_the_way.write_text("a file")
    logs = LogFiles(in_the_way)
    for _ in range(3):
        logs.append(RUN, "a0", 1, b"word")
    assert [line["folder"] for line in log_lines.all("logs_cannot_be_written")] == [str(in_the_way)]


async def test_the_log_of_an_attempt_ends_with_it_and_that_of_an_action_with_its_last_attempt(bench: Bench) -> None:
    key = await bench.submit(task(retries=1))
    scheduler = bench.scheduler
    lease = await bench.started("a0")
    await bench.say(lease, log={"data": b"first "})

    async def follow() -> bytes:
        return b"".join([piece async for piece in scheduler.log_of_attempt(key, "a0", 1, follow=True)])

    following = asyncio.ensure_future(follow())
    await bench.say(lease, log={"data": b"words"})
    await bench.fail("a0")
    await bench.advance(60)
    lease = await bench.started("a0")
    async with asyncio.timeout(WAIT_S):
        assert await following == b"first words"
    await bench.say(lease, log={"data": b"of the second"})
    await bench.succeed("a0")
    assert await scheduler.logs.read(key, "a0", 2, offset=0, limit=99) == b"of the second"
    assert await scheduler.attempt_after(key, "a0", 1) == 2
    assert await scheduler.attempt_after(key, "a0", 2) == 0


async def whole(logs: FollowedLogs, attempt: int = 1) -> bytes:
    """All of the log, which may be stored in pieces."""
    text = b""
    while piece := await logs.read(RUN, "a0", attempt, offset=len(text), limit=99):
        text += piece
    return text


@pytest.mark.parametrize("looked_at", ["before", "between", "after"])
async def test_what_a_worker_says_again_to_the_next_leader_is_in_the_log_once(
    open_logs: Callable[[], FollowedLogs], looked_at: str
) -> None:
    text = b"".join(b"line %d\n" % number for number in range(6))
    arrivals = [(arrived, again) for arrived in (6, 20, len(text)) for again in (0, 1, 6, 19) if again <= arrived]
    for attempt, (arrived, again) in enumerate(arrivals, start=1):
        first, second = open_logs(), open_logs()
        first.append(RUN, "a0", attempt, text[:5], position=1)
        first.append(RUN, "a0", attempt, text[5:arrived], position=6)
        await first.close()
        if looked_at == "before":
            assert await whole(second, attempt) == text[:arrived]
        for begin in range(again, len(text), 3):
            second.append(RUN, "a0", attempt, text[begin : begin + 3], position=begin + 1)
            if looked_at == "between":
                assert text.startswith(await whole(second, attempt))
        # On a new stream to the same leader.
        second.append(RUN, "a0", attempt, text[-8:], position=len(text) - 7)
        await second.close()
        assert await whole(open_logs(), attempt) == text, (arrived, again)


async def test_other_output_at_the_same_place_is_not_left_out(open_logs: Callable[[], FollowedLogs]) -> None:
    """As of an attempt that a leader began and could not store, so that the next one began it again."""
    first, second = open_logs(), open_logs()
    first.append(RUN, "a0", 1, b"begun at 12:00\n", position=1)
    await first.close()
    second.append(RUN, "a0", 1, b"begun at 12:01\n", position=1)
    await second.close()
    assert await whole(open_logs()) == b"begun at 12:00\nbegun at 12:01\n"
