"""One contract for every cache of local results; and reservations of what is being computed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyte.local.attempts import OutOfTime
from flyte.local.cache import FileCache, MemoryCache, ResultCache
from flyte.local.reservations import Reservations


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "file"])
def cache(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[ResultCache]:
    if request.param == "memory":
        yield MemoryCache(clock=clock)
        return
    file = FileCache(tmp_path / "deep" / "cache.db", clock=clock)
    yield file
    file.close()


def test_a_result_is_found_in_its_own_scope_only(cache: ResultCache) -> None:
    cache.put(b"k", b"v", scope="p/d", task_name="t")
    assert cache.get(b"k", scope="p/d", max_age_s=None) == b"v"
    assert cache.get(b"k", scope="p/other", max_age_s=None) is None
    assert cache.get(b"other", scope="p/d", max_age_s=None) is None


def test_empty_outputs_are_a_result(cache: ResultCache) -> None:
    cache.put(b"k", b"", scope="", task_name="t")
    assert cache.get(b"k", scope="", max_age_s=None) == b""


def test_an_old_result_is_not_used(cache: ResultCache, clock: Clock) -> None:
    cache.put(b"k", b"v", scope="", task_name="t")
    clock.now += 10
    assert cache.get(b"k", scope="", max_age_s=11) == b"v"
    assert cache.get(b"k", scope="", max_age_s=10) is None


def test_a_result_can_be_dropped(cache: ResultCache) -> None:
    for key in (b"k", b"l"):
        cache.put(key, b"v", scope="s", task_name="t")
    cache.drop(b"k", scope="s")
    cache.drop(b"k", scope="other")
    assert cache.get(b"k", scope="s", max_age_s=None) is None
    assert cache.get(b"l", scope="s", max_age_s=None) == b"v"


def test_a_later_result_replaces_the_earlier(cache: ResultCache, clock: Clock) -> None:
    cache.put(b"k", b"v1", scope="", task_name="t")
    clock.now += 10
    cache.put(b"k", b"v2", scope="", task_name="t")
    assert cache.get(b"k", scope="", max_age_s=1) == b"v2"


def test_results_are_forgotten_by_task_or_all_together(cache: ResultCache) -> None:
    for task in ("a", "a2", "b"):
        cache.put(task.encode(), b"v", scope="", task_name=task)
    assert cache.clear(task_name="a") == 1
    assert cache.clear() == 2
    assert cache.get(b"b", scope="", max_age_s=None) is None


def test_another_process_finds_what_was_kept(tmp_path: Path) -> None:
    first, second = FileCache(tmp_path / "c.db"), FileCache(tmp_path / "c.db")
    first.put(b"k", b"v", scope="", task_name="t")
    assert second.get(b"k", scope="", max_age_s=None) == b"v"
    first.close()
    second.close()


def test_clearing_what_was_never_there_makes_no_file(tmp_path: Path) -> None:
    assert FileCache(tmp_path / "c.db").clear() == 0
    assert not (tmp_path / "c.db").exists()


def test_a_broken_file_holds_nothing_until_it_is_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(b"no database at all " * 100)
    cache = FileCache(path)
    assert cache.get(b"k", scope="", max_age_s=None) is None
    cache.put(b"k", b"v", scope="", task_name="t")
    assert "flyte delete local-cache" in caplog.text
    assert cache.clear() == 0
    cache.put(b"k", b"v", scope="", task_name="t")
    assert cache.get(b"k", scope="", max_age_s=None) == b"v"
    cache.close()


async def test_a_reservation_is_held_by_one_at_a_time_and_leaves_no_file(tmp_path: Path) -> None:
    here, elsewhere = Reservations(), Reservations()
    order: list[str] = []

    async def hold(who: Reservations, name: str) -> None:
        async with who.held(b"key", folder=tmp_path, within_s=None):
            order.append(f"{name} in")
            await asyncio.sleep(0.02)
            order.append(f"{name} out")

    # Two sets of reservations are as two processes: what they share is the file.
    await asyncio.gather(hold(here, "a"), hold(here, "b"), hold(elsewhere, "c"), hold(elsewhere, "d"))
    assert len(order) == 8
    for position in range(0, 8, 2):
        assert order[position].split()[0] == order[position + 1].split()[0]
    assert list(tmp_path.iterdir()) == []


async def test_a_reservation_that_is_not_free_in_time_is_given_up(tmp_path: Path) -> None:
    here, elsewhere = Reservations(), Reservations()
    async with here.held(b"key", folder=tmp_path, within_s=None):
        for who in (here, elsewhere):
            with pytest.raises(OutOfTime):
                async with who.held(b"key", folder=tmp_path, within_s=0.02):
                    raise AssertionError("two hold it")
    async with elsewhere.held(b"key", folder=tmp_path, within_s=5):
        pass
    async with here.held(b"key", folder=tmp_path, within_s=5):
        pass


async def test_where_no_file_can_be_there_are_reservations_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file where the folder should be")
    here = Reservations()
    async with here.held(b"key", folder=tmp_path / "folder", within_s=None):
        with pytest.raises(OutOfTime):
            async with here.held(b"key", folder=tmp_path / "folder", within_s=0.02):
                raise AssertionError("two hold it")


async def test_the_reservation_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    process = _holder(tmp_path / b"key".hex())
    waiting = asyncio.ensure_future(_enter(Reservations(), tmp_path))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    process.kill()
    await asyncio.wait_for(waiting, 10)
    process.communicate()


async def _enter(reservations: Reservations, folder: Path) -> None:
    async with reservations.held(b"key", folder=folder, within_s=None):
        return


def _holder(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock on a file until it is killed."""
    program = (
        "import fcntl, os, sys, time; d = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); fcntl.flock(d, fcntl.LOCK_EX);"
        "print('held', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process
