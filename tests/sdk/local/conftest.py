"""Local runs that leave nothing in the home folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyte.client.init import current_settings, set_settings


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Results are cached below tmp_path, and no platform is configured."""
    monkeypatch.setenv("HOME", str(tmp_path))
    before = current_settings()
    set_settings(None)
    yield tmp_path
    set_settings(before)
