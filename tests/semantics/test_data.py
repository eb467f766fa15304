"""Files, folders and frames between tasks, in local runs and on a platform alike."""

from __future__ import annotations

import pytest
from tests.semantics.conftest import Place
from tests.semantics.programs import data


def test_files_and_folders_arrive_with_what_was_written(place: Place) -> None:
    assert place.result(data.pass_data) == ("hello, wörld", 6)


def test_a_frame_lies_below_the_data_of_its_run_also_one_of_an_asynchronous_task(place: Place) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    from tests.semantics.programs import frames

    assert place.result(frames.pass_frames) == [10, True]
