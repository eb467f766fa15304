"""Replicas are replaced after so many tasks and above a size, between tasks and without anybody noticing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from tests.support.platform import PlatformUnderTest
from tests.system.conftest import connect
from tests.system.programs import warm_pools

import flyte
from flyte.client.init import set_settings

OPERATOR_FILE: Final = "reuse_pool: {recycle: {after_tasks: 3, above_memory: 200Mi}}\n"


@pytest.fixture(scope="module")
def recycling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """A platform that wears its replicas out quickly, with this process as its client."""
    folder = tmp_path_factory.mktemp("recycling")
    (folder / "flyteplane.yaml").write_text(OPERATOR_FILE)
    platform = PlatformUnderTest(folder / "platform", options=("--config", str(folder / "flyteplane.yaml")))
    try:
        platform.start()
        connect(platform)
        yield platform
        platform.stop()
        platform.assert_nothing_runs()
        platform.assert_no_work_left()
    finally:
        set_settings(None)
        platform.destroy()


def test_a_replica_is_replaced_after_its_tasks(recycling: PlatformUnderTest) -> None:
    processes = flyte.run(warm_pools.passers_by, count=9, mebibytes=0, seconds=0.0).outputs()[0]
    assert [processes.count(process) for process in dict.fromkeys(processes)] == [3, 3, 3]


def test_a_replica_that_has_grown_too_large_is_replaced_after_its_task(recycling: PlatformUnderTest) -> None:
    # Long enough for a heartbeat, which tells the size.
    large, *later = flyte.run(warm_pools.passers_by, count=2, mebibytes=300, seconds=2.5).outputs()[0]
    assert large not in later
