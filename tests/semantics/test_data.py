"""Files, folders and frames between tasks, in local runs and on a platform alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.semantics.conftest import Place
from tests.semantics.programs import data

from flyte.io import Dir, File


def test_files_and_folders_arrive_with_what_was_written(place: Place) -> None:
    assert place.result(data.pass_data) == ("hello, wörld", 6)


def test_empty_folders_arrive_and_tasks_without_a_report_log_as_others_do(place: Place) -> None:
    assert place.result(data.look_at_nothing) == ([], ["<svg/>", "main", "Chart"])


def test_paths_from_the_working_folder_are_found_by_tasks(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "a.txt").write_text("here")
    monkeypatch.chdir(tmp_path)
    assert place.result(data.read_near_paths, File(path="near/a.txt"), Dir(path="near")) == ("here", 1)
    assert place.result(data.read_what_was_left, "left") == ("here", 1)


def test_a_frame_lies_below_the_data_of_its_run_also_one_of_an_asynchronous_task(place: Place) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    from tests.semantics.programs import frames

    assert place.result(frames.pass_frames) == [10, True]
