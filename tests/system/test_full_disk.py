"""A disk that fills up while a run is under way: the platform stops with a word, and goes on when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest
from tests.support.run_log import whole_log
from tests.system.conftest import connect
from tests.system.programs import fan_outs

import flyte

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")

COUNT = 300


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1000k,mode=700", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_run_survives_a_disk_that_was_full(small_disk: Path, ledger: Ledger, tmp_path: Path) -> None:
    platform = PlatformUnderTest(small_disk / "platform", said=tmp_path / "said")
    try:
        platform.start()
        connect(platform)
        run = flyte.run(fan_outs.fan_out, "warm", COUNT, ledger.path, 0.0)
        assert platform.wait(within_s=60) == 1
        assert "is full" in platform.said.splitlines()[-1]
        assert "Traceback" not in platform.said
        platform.assert_nothing_runs()
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        platform.start()
        assert run.outputs()[0] == sum(number * number for number in range(COUNT))
        log = whole_log(run)
        log.assert_each_action_ended_once()
        assert len(log.succeeded()) == COUNT
    finally:
        platform.destroy()
