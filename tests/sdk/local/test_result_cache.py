"""One contract for every cache of local results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyte.local.cache import FileCache, MemoryCache, ResultCache


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
    assert cache.get(b"k", scope="", max_age_s=10) == b"v"
    assert cache.get(b"k", scope="", max_age_s=9) is None


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
