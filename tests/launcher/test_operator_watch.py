"""A changed operator's file is noticed, however it is changed, and nothing else in its folder is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from flyteplane.launcher.operator_watch import watch_operator_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux tells of changes")
WITHIN_S = 10.0


@asynccontextmanager
async def watched(file: Path) -> AsyncIterator[asyncio.Event]:
    """An event that is set on each change; the watch is there, and what it says first was heard."""
    changed = asyncio.Event()
    watching = asyncio.ensure_future(watch_operator_file(file, changed.set))
    await heard(changed)
    try:
        yield changed
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def heard(changed: asyncio.Event) -> None:
    async with asyncio.timeout(WITHIN_S):
        await changed.wait()
    changed.clear()


def swap_config_map(folder: Path, *, version: str, text: str) -> None:
    """What the kubelet does: a new folder, then one rename of the link to it."""
    (folder / version).mkdir()
    (folder / version / "flyteplane.yaml").write_text(text)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")


async def test_a_file_that_is_written_and_one_that_is_put_in_its_place_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "flyteplane.yaml"
    file.write_text("one")
    async with watched(file) as changed:
        file.write_text("two")
        await heard(changed)
        (tmp_path / "next").write_text("three")
        (tmp_path / "next").rename(file)
        await heard(changed)


async def test_a_config_map_that_the_kubelet_swaps_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "flyteplane.yaml"
    swap_config_map(tmp_path, version="..1", text="one")
    file.symlink_to("..data/flyteplane.yaml")
    async with watched(file) as changed:
        swap_config_map(tmp_path, version="..2", text="two")
        await heard(changed)
        assert file.read_text() == "two"


async def test_other_files_of_the_folder_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "flyteplane.yaml"
    file.write_text("one")
    async with watched(file) as changed:
        (tmp_path / "other").write_text("noise")
        # The kernel tells in order: had the other file counted, it would have been heard before this one.
        sentinel = asyncio.ensure_future(changed.wait())
        await asyncio.sleep(0)
        assert not sentinel.done()
        file.write_text("two")
        await heard(changed)
        await sentinel


async def test_a_folder_that_is_not_there_ends_the_watch_and_nothing_else(tmp_path: Path) -> None:
    await watch_operator_file(tmp_path / "missing" / "flyteplane.yaml", lambda: None)
