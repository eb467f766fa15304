"""What attempts leave in a folder goes; what was there before stays."""

from __future__ import annotations

from pathlib import Path

from flyte.runner.isolation import KeptFolder


def test_what_is_new_is_removed_and_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_text("of the image")
    folder = KeptFolder(str(tmp_path), keep_all=True)
    folder.clear()
    assert not folder.was_touched
    (tmp_path / "left.txt").write_text("x")
    (tmp_path / "left" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/")
    assert folder.was_touched
    folder.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]
    assert not folder.was_touched


def test_a_folder_of_its_own_is_emptied_and_made_again(tmp_path: Path) -> None:
    path = tmp_path / "own"
    folder = KeptFolder(str(path))
    folder.clear()
    (path / "x").write_text("x")
    folder.clear()
    assert list(path.iterdir()) == []
    path.rmdir()
    assert folder.was_touched
    folder.clear()
    assert path.is_dir()


def test_nothing_is_ever_removed_from_a_mounted_folder_of_the_image() -> None:
    folder = KeptFolder("/", keep_all=True)
    assert not folder.was_touched
    folder.clear()
    assert Path("/etc").is_dir()
