"""The process with the secrets service is killed while attempts ask for secrets, and nobody is charged for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.deployment import SERVICES, Deployment
from tests.support.etcd import EtcdServer, require_etcd
from tests.support.platform import FLYTE
from tests.system.conftest import PROGRAMS
from tests.system.programs import secret_delivery as program

import flyte
from flyte.client.init import set_settings

CHILDREN = 30


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A platform of several processes, and this process as its client."""
    require_etcd()
    with EtcdServer(tmp_path / "etcd") as etcd, Deployment(tmp_path / "platform", etcd, schedulers=1) as deployment:
        flyte.init(endpoint=deployment.endpoint, root_dir=PROGRAMS)
        yield deployment
    set_settings(None)


def test_attempts_wait_for_a_service_that_is_away_and_spend_no_retry(deployment: Deployment) -> None:
    made = subprocess.run(
        [str(FLYTE), "--endpoint", deployment.endpoint, "create", "secret", "DELIVERED"],
        input="a value that outlives its service",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(deployment.data)},
    )
    assert made.returncode == 0, made.stderr
    run = flyte.run(program.many, CHILDREN)
    for _ in range(2):
        deployment[SERVICES].kill()
        deployment[SERVICES].start()
    run.wait()
    assert run.outputs()[0] == [program.digest("a value that outlives its service")] * CHILDREN
