"""Modules of a packed file: given as they are, and only while they are what they were."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from flyte.runner.pod.packed_modules import PackedFile, PackedModules, describe_modules, write_packed_file

NAMES = ("packed_sample", "packed_sample.part")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with one module, in a folder that is searched."""
    folder = tmp_path / "packed_sample"
    folder.mkdir()
    (folder / "__init__.py").write_text("from packed_sample import part\n")
    (folder / "part.py").write_text("VALUE = 'from the source'\n")
    monkeypatch.setattr(sys, "path", [sys.path[0], str(tmp_path), *sys.path[1:]])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    forget()


def forget() -> None:
    """The next import loads the package."""
    for name in NAMES:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


@pytest.fixture
def file(package: Path, tmp_path: Path) -> PackedFile:
    """The package in a file, in which its value is another."""
    importlib.import_module("packed_sample")
    modules, pieces = describe_modules(sys.modules[name] for name in NAMES)
    forget()
    marked = [piece.replace(b"from the source", b"from the packed") for piece in pieces]
    write_packed_file(str(tmp_path / "file"), {"folders": sys.path[1:], "modules": modules}, marked)
    return PackedFile(str(tmp_path / "file"))


@contextmanager
def searched(file: PackedFile) -> Iterator[None]:
    """Modules are looked for in the file first."""
    finder = PackedModules(file)
    file.open()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        file.close()


def value_in(file: PackedFile) -> str:
    """The value that the package has when it is imported."""
    with searched(file):
        value: str = importlib.import_module("packed_sample").part.VALUE
    return value


def test_modules_come_from_the_file_and_look_like_those_of_their_source(package: Path, file: PackedFile) -> None:
    assert value_in(file) == "from the packed"
    whole, part = (sys.modules[name] for name in NAMES)
    assert whole.__path__ == [str(package)]
    assert part.__file__ == str(package / "part.py")
    for module in (whole, part):
        spec = module.__spec__
        assert spec is not None
        ordinary = importlib.util.spec_from_file_location(spec.name, spec.origin)
        assert ordinary is not None
        assert (spec.cached, spec.parent, spec.has_location) == (ordinary.cached, ordinary.parent, True)
    loader = part.__spec__.loader if part.__spec__ else None
    assert loader is not None
    assert loader.get_source("packed_sample.part") == "VALUE = 'from the source'\n"  # type: ignore[attr-defined]  # loaders of source have it
    assert importlib.reload(part).VALUE == "from the source"


def other_content(package: Path) -> None:
    (package / "part.py").write_text("VALUE = 'from the source'  # changed\n")


def other_time(package: Path) -> None:
    os.utime(package / "part.py", (1, 1))


def other_folders(package: Path) -> None:
    sys.path.insert(1, str(package))


@pytest.mark.parametrize("change", [other_content, other_time, other_folders])
def test_a_module_that_may_be_another_one_by_now_is_loaded_as_ever(
    package: Path, file: PackedFile, change: Callable[[Path], None]
) -> None:
    change(package)
    assert value_in(file) == "from the source"


def test_a_module_whose_source_is_gone_is_gone(package: Path, file: PackedFile) -> None:
    (package / "part.py").unlink()
    with pytest.raises(ImportError):
        value_in(file)


def test_a_file_that_is_closed_gives_nothing_to_who_still_loads(package: Path, file: PackedFile) -> None:
    with searched(file):
        spec = importlib.util.find_spec("packed_sample")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert sys.modules["packed_sample.part"].VALUE == "from the source"


def test_what_is_no_file_of_its_own_is_left_out() -> None:
    stand_in = ModuleType("packed_stand_in")
    described, pieces = describe_modules([sys, stand_in, sys.modules["__main__"], importlib.import_module("_json")])
    assert set(described) <= {"_json", sys.modules["__main__"].__name__}
    assert len(pieces) <= 1


def test_all_that_a_pod_loads_first_comes_from_the_file(tmp_path: Path) -> None:
    file = str(tmp_path / "prepared")
    write = f"from flyte.runner.pod.prepared import _load_first, prepare\nprepare(_load_first, {file!r})\n"
    load = (
        f"from flyte.runner.pod.prepared import _load_first, prepared\nwith prepared({file!r}):\n    _load_first()\n"
        "import sys\nprint(*(name for name, module in sys.modules.items()"
        " if type(getattr(module, '__loader__', None)).__name__ == 'SourceFileLoader'))\n"
    )
    command = [sys.executable, "-P", "-c"]
    subprocess.run([*command, write], check=True)
    before = {
        "flyte",
        "flyte.runner",
        "flyte.runner.pod",
        "flyte.runner.pod.packed_modules",
        "flyte.runner.pod.prepared",
    }
    shown = subprocess.run([*command, load], check=True, capture_output=True, text=True).stdout
    # The interpreter's own start loads some more, which differ from one installation to the next.
    assert {name for name in shown.split() if name.startswith(("flyte", "asyncio", "google"))} <= before
