"""Platforms for the tests: one that all may use and nobody may hurt, and one that tests kill and start again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.announcements import Announcements
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest

import flyte
from flyte.client.init import set_settings

PROGRAMS = Path(__file__).parent / "programs"
# The programs import each other as they would on a worker, where their folder is the root of the bundle.
sys.path.insert(0, str(PROGRAMS))


def connect(platform: PlatformUnderTest) -> None:
    """Makes this process a client of the platform."""
    flyte.init(endpoint=platform.endpoint, root_dir=PROGRAMS)


@pytest.fixture(scope="session")
def standing_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """One platform for all tests of this process that leave it as it is."""
    platform = PlatformUnderTest(tmp_path_factory.mktemp("standing") / "platform")
    try:
        platform.start()
        yield platform
        platform.stop()
        platform.assert_nothing_runs()
        platform.assert_no_work_left()
    finally:
        platform.destroy()


@pytest.fixture
def shared(standing_platform: PlatformUnderTest) -> Iterator[PlatformUnderTest]:
    """The platform that all use, with this process as its client."""
    connect(standing_platform)
    yield standing_platform
    set_settings(None)


@pytest.fixture(scope="session")
def mortal_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """One platform for all tests of this process that kill it; whoever uses it first starts it."""
    platform = PlatformUnderTest(tmp_path_factory.mktemp("mortal") / "platform")
    try:
        yield platform
        if platform.running:
            platform.stop()
        platform.assert_nothing_runs()
        platform.assert_no_work_left()
    finally:
        platform.destroy()


@pytest.fixture
def platform(mortal_platform: PlatformUnderTest) -> Iterator[PlatformUnderTest]:
    """The platform that may be killed, running, with this process as its client. Leave no run behind that stays."""
    if not mortal_platform.running:
        mortal_platform.start()
    connect(mortal_platform)
    yield mortal_platform
    set_settings(None)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A book in which tasks write down that they ran."""
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def announcements(tmp_path: Path) -> Iterator[Announcements]:
    """What tasks tell the test while they run."""
    opened = Announcements(tmp_path / "announcements")
    yield opened
    opened.close()
