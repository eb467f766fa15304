"""Pods whose data lies in an S3-compatible store: they reach it through the platform, and hold no keys of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.platform import PlatformUnderTest
from tests.support.s3 import BUCKET, S3Server
from tests.system.conftest import PROGRAMS
from tests.system.kubernetes.conftest import platform_in
from tests.system.programs import stored

import flyte


@pytest.fixture
def platform(tmp_path: Path, cluster: KubernetesUnderTest, s3_server: S3Server) -> Iterator[PlatformUnderTest]:
    file = s3_server.operator_values(f"pods/{tmp_path.name}")
    with platform_in(tmp_path, cluster, file={"objects": file}) as platform:
        flyte.init(endpoint=platform.endpoint, root_dir=PROGRAMS)
        yield platform


def test_pods_and_replicas_write_and_read_the_store_through_the_platform(
    platform: PlatformUnderTest, cluster: KubernetesUnderTest
) -> None:
    text = "x" * stored.LARGE
    run = flyte.run(stored.main, text)
    file, folder, large = run.outputs()
    assert file.path.startswith(f"s3://{BUCKET}/pods/")
    assert Path(file.download_sync()).read_text() == text
    assert (Path(folder.download_sync()) / "deep" / "b.txt").read_text() == text.upper()
    assert large == text + text
    logs = platform.flyte("get", "logs", "--all", run.name)
    assert f"writing {stored.LARGE} characters" in logs.stdout, logs.stderr
