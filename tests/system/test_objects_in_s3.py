"""A platform whose objects lie in an S3-compatible store: its folder holds none, and nobody but it has keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.platform import PlatformUnderTest
from tests.support.s3 import BUCKET, S3Server
from tests.system.conftest import connect
from tests.system.programs import stored

import flyte
from flyte.client.init import set_settings
from flyte.client.upload import forget_uploads

WITHIN_S = 30.0


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("own-s3")) as server:
        yield server


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> Iterator[PlatformUnderTest]:
    folder = tmp_path_factory.mktemp("objects-in-s3")
    config = folder / "flyteplane.yaml"
    config.write_text(s3.operator_section("system"))
    own = PlatformUnderTest(folder / "platform", options=["--config", str(config)])
    try:
        own.start()
        forget_uploads()
        connect(own)
        yield own
    finally:
        set_settings(None)
        own.destroy()


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "it never comes true"
        time.sleep(0.05)


def test_everything_lies_in_the_store_and_is_there_after_kill_and_restart(
    platform: PlatformUnderTest, s3: S3Server
) -> None:
    text = "x" * stored.LARGE
    run = flyte.run(stored.main, text)
    run.wait()
    # Output is stored behind the end of its attempt.
    await_true(lambda: bool(s3.keys("system/logs/")))
    platform.kill()
    platform.start()
    file, folder, large = run.outputs()
    assert file.path.startswith(f"s3://{BUCKET}/system/")
    assert Path(file.download_sync()).read_text() == text
    copies = Path(folder.download_sync())
    assert (copies / "a b.txt").read_text() == text
    assert (copies / "deep" / "b.txt").read_text() == text.upper()
    assert large == text + text
    logs = platform.ask("get", "logs", "--all", run.name)
    assert f"writing {stored.LARGE} characters" in logs.stdout, logs.stderr
    for folder_of_files in ("objects", "logs"):
        assert not (platform.data / folder_of_files).exists()


def test_a_store_that_dies_meanwhile_delays_a_run_and_loses_nothing(
    platform: PlatformUnderTest, s3: S3Server, tmp_path: Path
) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    run = flyte.run(stored.write_later, str(begun), str(go))
    await_true(begun.exists)
    s3.stop()
    try:
        go.touch()
        # What the platform still says while its store is away.
        assert not run.done()
        time.sleep(1.0)
    finally:
        s3.start()
    (file,) = run.outputs()
    assert Path(file.download_sync()).read_text() == "late"
    logs = platform.ask("get", "logs", run.name)
    assert "waiting" in logs.stdout, logs.stderr
