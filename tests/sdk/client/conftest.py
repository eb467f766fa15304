"""A fake platform, and settings of the process that end with each test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from flyte.client.init import current_settings, set_settings
from flyte.client.settings import ClientSettings
from flyte.client.upload import forget_uploads

if TYPE_CHECKING:
    from tests.sdk.client.fake_platform import FakePlatform


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """Whatever a test settles is forgotten."""
    before = current_settings()
    set_settings(None)
    forget_uploads()
    yield
    set_settings(before)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[FakePlatform]:
    """A fake platform that runs, and that the process is initialised for."""
    from tests.sdk.client.fake_platform import FakePlatform

    fake = FakePlatform(tmp_path)
    fake.start()
    set_settings(ClientSettings(endpoint=fake.endpoint, root_dir=tmp_path))
    yield fake
    fake.close()


@pytest.fixture
def user_module(tmp_path: Path) -> Iterator[Any]:
    """Writes a module below tmp_path and imports it under the name of its file."""
    made: list[str] = []
    path_before = list(sys.path)

    def write(name: str, text: str) -> ModuleType:
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        made.append(name)
        specification.loader.exec_module(module)
        return module

    yield write
    sys.path[:] = path_before
    for name in made:
        sys.modules.pop(name, None)
