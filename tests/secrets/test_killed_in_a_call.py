"""The service is killed at every point of every call, and nothing that it promised is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LEAST_POINTS = {"create": 4, "update": 4, "delete": 3, "resolve": 3, "rotate": 10}


@pytest.mark.parametrize("call", LEAST_POINTS)
def test_a_service_that_is_killed_in_a_call_has_done_all_of_it_or_nothing(
    call: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """A call that is sent again then ends as if it had never been killed, and every secret can be read all the time."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.secrets.killed_calls", call, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=pytestconfig.rootpath,
    )
    assert finished.returncode == 0, finished.stderr
    outcome = json.loads(finished.stdout.splitlines()[-1])
    assert outcome["problems"] == [], finished.stderr
    assert outcome["killed"] >= LEAST_POINTS[call]
