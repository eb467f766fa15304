"""Programs of the surface run as on a machine where nothing is configured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyte.client.init import current_settings, set_settings


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder that is empty, and no platform."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FLYTE_PLATFORM_DATA", str(tmp_path / "platform"))
    monkeypatch.delenv("FLYTE_ADMIN_ENDPOINT", raising=False)
    before = current_settings()
    set_settings(None)
    yield tmp_path
    set_settings(before)
