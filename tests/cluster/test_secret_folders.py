"""Folders of secrets lie in memory, belong to one user, and go with their workers."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from flyteplane.cluster.secret_folders import SecretFolders


def test_the_root_is_private_and_empty(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    folders = SecretFolders(tmp_path / "work", memory=memory)
    folders.open()
    left = folders.of_worker("killed")
    left.mkdir()
    assert left.is_relative_to(memory)
    again = SecretFolders(tmp_path / "work", memory=memory)
    again.open()
    assert not left.exists()
    assert stat.S_IMODE(left.parent.stat().st_mode) == 0o700
    again.close()
    assert list(memory.iterdir()) == []


def test_a_worker_takes_its_folder_with_it(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    folders = SecretFolders(tmp_path / "work", memory=tmp_path / "there is none")
    folders.open()
    folder = folders.of_worker("w")
    folder.mkdir()
    (folder / "key").write_bytes(b"value")
    folders.remove("w")
    folders.remove("another")
    assert not folder.exists()


def test_a_name_that_somebody_else_has_taken_is_refused(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    folders = SecretFolders(tmp_path / "work", memory=memory)
    folders.of_worker("w").parent.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        folders.open()
