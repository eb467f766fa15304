"""Output that came past a worker's own capture is masked on its way to the log."""

from __future__ import annotations

import asyncio

import pytest

from flyte.spec.masking import RELEASE_AFTER_S, Mask
from flyteplane.scheduler.clients.masked_log import MaskedLog


class Lines:
    """A log that says when something was added."""

    def __init__(self) -> None:
        self.content = b""
        self.added = asyncio.Event()

    def append(self, data: bytes) -> None:
        assert data
        self.content += data
        self.added.set()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log(lines: Lines) -> MaskedLog:
    mask = Mask.of([b"hunter2-and-more"])
    assert mask is not None
    return MaskedLog(mask, append=lines.append)


async def test_a_value_in_two_reads_is_masked(log: MaskedLog, lines: Lines) -> None:
    log.write(b"password: hunter2")
    assert lines.content == b"password: "
    log.write(b"-and-more\n")
    assert lines.content == b"password: [secret]\n"


async def test_what_waits_is_added_at_the_end_of_the_worker(log: MaskedLog, lines: Lines) -> None:
    log.write(b"the last words are hunter2-")
    log.close()
    assert lines.content == b"the last words are hunter2-"


async def test_a_short_end_is_added_after_a_pause(log: MaskedLog, lines: Lines) -> None:
    log.write(b"continue? [y/h")
    lines.added.clear()
    async with asyncio.timeout(10 * RELEASE_AFTER_S):
        await lines.added.wait()
    assert lines.content == b"continue? [y/h"
    log.write(b"unter2-and-more")
    assert lines.content == b"continue? [y/h[secret]"


async def test_a_closed_log_waits_for_nothing(log: MaskedLog, lines: Lines) -> None:
    log.write(b"h")
    log.close()
    assert lines.content == b"h"
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
