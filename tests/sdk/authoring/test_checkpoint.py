"""Checkpoints: what is saved is restored, whole or not at all, from the newest attempt that saved something."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from tests.sdk.authoring.recording_controller import inside_a_task

import flyte


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    """Where three attempts keep theirs."""
    return [str(tmp_path / "store" / str(attempt) / "checkpoint") for attempt in range(3)]


def test_there_is_nothing_before_the_first_save(places: list[str]) -> None:
    first = flyte.Checkpoint(places[0])
    assert not first.prev_exists()
    assert first.load_sync() is None
    assert first.remote_source is None
    assert first.remote_destination == places[0]


async def test_bytes_files_and_folders_come_back(places: list[str], tmp_path: Path) -> None:
    checkpoint = flyte.Checkpoint(places[0])
    await checkpoint.save(b"\x00state")
    restored = await checkpoint.load()
    assert restored is not None
    assert restored.read_bytes() == b"\x00state"
    file = tmp_path / "weights.pt"
    file.write_text("weights")
    await checkpoint.save(str(file))
    restored = await checkpoint.load()
    assert restored is not None
    assert (restored.name, restored.read_text()) == ("weights.pt", "weights")
    folder = tmp_path / "state"
    (folder / "empty").mkdir(parents=True)
    (folder / "part").write_text("part")
    await checkpoint.save(folder)
    restored = await checkpoint.load()
    assert restored is not None
    assert sorted(path.name for path in restored.iterdir()) == ["empty", "part"]


def test_the_newest_attempt_that_saved_something_is_read(places: list[str]) -> None:
    flyte.Checkpoint(places[0]).save_sync(b"zero")
    third = flyte.Checkpoint(places[2], sources=(places[1], places[0]))
    assert third.prev_exists()
    assert third.load_sync().read_text() == "zero"  # type: ignore[union-attr]
    flyte.Checkpoint(places[1], places[0]).save_sync(b"one")
    assert third.load_sync().read_text() == "one"  # type: ignore[union-attr]
    third.save_sync(b"two")
    assert third.load_sync().read_text() == "two"  # type: ignore[union-attr]
    assert flyte.Checkpoint(places[1], places[0]).remote_source == places[0]


def test_a_save_that_fails_leaves_what_was_there(places: list[str], tmp_path: Path) -> None:
    checkpoint = flyte.Checkpoint(places[0])
    checkpoint.save_sync(b"good")
    with pytest.raises(FileNotFoundError):
        checkpoint.save_sync(tmp_path / "missing")
    assert checkpoint.load_sync().read_text() == "good"  # type: ignore[union-attr]


def test_what_is_restored_outlives_its_checkpoint_and_goes_with_the_attempt(places: list[str]) -> None:
    def restored() -> Path:
        flyte.Checkpoint(places[0]).save_sync(b"x")
        path = flyte.Checkpoint(places[1], places[0]).load_sync()
        gc.collect()
        assert path is not None
        assert path.read_bytes() == b"x"
        return path

    outside = restored()
    with inside_a_task(checkpoint=flyte.Checkpoint(places[2])):
        inside = restored()
    gc.collect()
    assert (outside.exists(), inside.exists()) == (True, False)


def test_the_latest_file_is_found_by_time_or_by_key(tmp_path: Path) -> None:
    assert flyte.latest_checkpoint(tmp_path) is None
    for name, age in (("a", 10), ("b", 5), ("c", 20)):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "last.ckpt"
        file.touch()
        os.utime(file, (1000 - age, 1000 - age))
    assert flyte.latest_checkpoint(tmp_path) == tmp_path / "b" / "last.ckpt"
    assert flyte.latest_checkpoint(tmp_path, key=str) == tmp_path / "c" / "last.ckpt"
    assert flyte.latest_checkpoint(tmp_path, "*.pt") is None
