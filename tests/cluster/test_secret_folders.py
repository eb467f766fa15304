"""Folders of secrets lie in memory and go with their workers, or with the next platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyteplane.cluster.secret_folders import SecretFolders


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """A file system that stands for memory."""
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


def test_a_worker_takes_its_folder_with_it(tmp_path: Path, memory: Path) -> None:
    folders = SecretFolders(tmp_path / "work", memory=memory)
    folder = folders.of_worker("w")
    assert folder.parent == memory
    folder.mkdir()
    (folder / "key").write_bytes(b"value")
    folders.remove("w")
    folders.remove("another")
    assert list(memory.iterdir()) == []


def test_folders_of_a_killed_platform_are_removed_and_no_others(tmp_path: Path, memory: Path) -> None:
    SecretFolders(tmp_path / "work", memory=memory).of_worker("killed").mkdir()
    other = SecretFolders(tmp_path / "another", memory=memory).of_worker("killed")
    other.mkdir()
    SecretFolders(tmp_path / "work", memory=memory).sweep()
    assert list(memory.iterdir()) == [other]


def test_without_memory_folders_lie_beside_the_workers(tmp_path: Path) -> None:
    folder = SecretFolders(tmp_path / "work", memory=tmp_path / "there is none").of_worker("w")
    assert folder.parent == tmp_path / "work"
