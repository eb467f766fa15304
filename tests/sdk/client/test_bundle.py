"""Code bundles: which files, under which names, and that equal code is equal bytes."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte.client.bundle import (
    MAX_BUNDLE_BYTES,
    Bundle,
    check_copy_style,
    collect_files,
    make_bundle,
)
from flyte.client.bundle_files import loaded_module_files, tree_files
from flyte.client.entrypoint import place_of
from flyte.client.packaging import package
from flyte.client.source_root import choose_root, module_name
from flyte.errors import CodeBundleError
from flyte.wire.bundle_layout import IMPORT_FOLDERS_ENTRY


@pytest.fixture(autouse=True)
def own_module_path() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(bundle: Bundle) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(bundle.archive)) as archive:
        return archive.getnames()


def test_equal_files_give_equal_bytes_whatever_their_times(tmp_path: Path) -> None:
    write(tmp_path, a_dot_py="x = 1", pkg__b_dot_py="y = 2")
    first = make_bundle(tree_files(tmp_path), root=tmp_path)
    for path in tree_files(tmp_path):
        os.utime(path, (1, 1))
    second = make_bundle(reversed(tree_files(tmp_path)), root=tmp_path)
    assert first.archive == second.archive
    assert first.files == ("a.py", "pkg/b.py")
    write(tmp_path, a_dot_py="x = 3")
    assert make_bundle(tree_files(tmp_path), root=tmp_path).digest != first.digest


def test_the_tree_leaves_out_what_is_not_code(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_dot_py="",
        _dot_git__config="",
        _dot_venv__x_dot_py="",
        __pycache____x_dot_pyc="",
        out__data_dot_bin="",
        notes_dot_log="",
        _dot_gitignore="out/\n*.log\n# comment\n",
    )
    (tmp_path / "own-venv").mkdir()
    (tmp_path / "own-venv" / "pyvenv.cfg").write_text("")
    (tmp_path / "own-venv" / "lib.py").write_text("")
    assert [path.name for path in tree_files(tmp_path)] == [".gitignore", "a.py"]


def test_loaded_modules_are_those_below_the_root(tmp_path: Path, user_module: Any) -> None:
    user_module("used", "x = 1")
    write(tmp_path, unused_dot_py="", **{"site-packages__lib_dot_py": ""})
    assert [path.name for path in loaded_module_files(tmp_path)] == ["used.py"]


def test_the_sdk_itself_is_never_bundled(repository: Path) -> None:
    found = {path.relative_to(repository).parts[:2] for path in loaded_module_files(repository)}
    assert ("sdk", "flyte") not in found


def test_includes_are_relative_to_the_environments_file(tmp_path: Path) -> None:
    write(tmp_path, app__main_dot_py="", app__data__a_dot_csv="1", app__data__b_dot_csv="2", other_dot_txt="")
    files = collect_files(
        "loaded_modules",
        root=tmp_path,
        task_files=[tmp_path / "app" / "main.py"],
        includes={tmp_path / "app": ["data/*.csv"]},
    )
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "app/data/a.csv",
        "app/data/b.csv",
        "app/main.py",
    ]
    with pytest.raises(CodeBundleError, match="matches no file"):
        collect_files("all", root=tmp_path, task_files=[], includes={tmp_path: ["*.parquet"]})
    with pytest.raises(CodeBundleError, match="leaves the root folder"):
        collect_files("all", root=tmp_path / "app", task_files=[], includes={tmp_path / "app": ["../other.txt"]})


def test_too_much_code_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(MAX_BUNDLE_BYTES + 1)
    with pytest.raises(CodeBundleError, match=r"limit is 100 MiB.*weights\.bin"):
        make_bundle(tree_files(tmp_path), root=tmp_path)


def test_nothing_to_bundle_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CodeBundleError, match="No files"):
        make_bundle([], root=tmp_path)


def test_folders_that_modules_come_from_are_named_in_the_archive(tmp_path: Path) -> None:
    write(tmp_path, src__a_dot_py="")
    sys.path.insert(0, str(tmp_path / "src"))
    bundle = make_bundle(tree_files(tmp_path), root=tmp_path)
    assert names(bundle) == [IMPORT_FOLDERS_ENTRY, "src/a.py"]


@pytest.mark.parametrize("style", ["custom", "some"])
def test_unknown_copy_styles_are_refused(style: str) -> None:
    with pytest.raises(ValueError, match="copy_style"):
        check_copy_style(style)


def test_the_root_is_the_working_folder_if_it_holds_the_file(tmp_path: Path) -> None:
    write(tmp_path, a__b_dot_py="")
    file = tmp_path / "a" / "b.py"
    assert choose_root(file, given=None, cwd=tmp_path) == tmp_path
    assert module_name(file, root=tmp_path) == "a.b"


def test_elsewhere_the_root_holds_the_outermost_package(tmp_path: Path) -> None:
    write(tmp_path, **{"my-project__pkg____init___dot_py": "", "my-project__pkg__b_dot_py": ""})
    package_folder = tmp_path / "my-project" / "pkg"
    package_folder.mkdir(parents=True, exist_ok=True)
    (package_folder / "__init__.py").write_text("")
    (package_folder / "b.py").write_text("")
    assert choose_root(package_folder / "b.py", given=None, cwd=tmp_path) == tmp_path / "my-project"


def test_a_working_folder_inside_of_a_package_is_no_root(tmp_path: Path) -> None:
    for folder in (tmp_path / "src" / "pkg", tmp_path / "src" / "pkg" / "jobs"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        assert choose_root(folder / "daily.py", given=None, cwd=folder) == tmp_path / "src"


def test_a_file_outside_a_given_root_is_refused(tmp_path: Path) -> None:
    write(tmp_path, a_dot_py="", sub__b_dot_py="")
    with pytest.raises(CodeBundleError, match="root_dir"):
        choose_root(tmp_path / "a.py", given=tmp_path / "sub")


def test_any_name_of_a_file_is_taken_that_python_can_import(tmp_path: Path) -> None:
    assert choose_root(tmp_path / "src" / "01-task.py", given=None, cwd=tmp_path) == tmp_path
    assert module_name(tmp_path / "src" / "01-task.py", root=tmp_path) == "src.01-task"
    with pytest.raises(CodeBundleError, match=r"my\.task\.py cannot be imported"):
        module_name(tmp_path / "my.task.py", root=tmp_path)


TASK = """
import flyte
env = flyte.TaskEnvironment(name="place")

@env.task
async def work() -> int:
    return 1

def make():
    @env.task
    async def inner() -> int:
        return 2
    return inner
"""


def test_a_module_keeps_its_name_if_the_worker_can_import_it_so(tmp_path: Path, user_module: Any) -> None:
    sys.path.insert(0, str(tmp_path))
    place = place_of(user_module("jobs.daily", TASK).work, root_dir=tmp_path)
    assert place is not None
    assert (place.module, place.root) == ("jobs.daily", tmp_path)


def test_a_module_under_another_name_is_called_by_its_file(tmp_path: Path, user_module: Any) -> None:
    module = user_module("jobs.daily", TASK)
    sys.modules["daily"] = module
    module.__name__ = "daily"
    module.work.__module__ = "daily"
    try:
        place = place_of(module.work, root_dir=tmp_path)
    finally:
        del sys.modules["daily"]
    assert place is not None
    assert place.module == "jobs.daily"


def test_a_task_made_inside_a_function_travels_as_a_pickle_with_the_code(tmp_path: Path, user_module: Any) -> None:
    packaged = package([user_module("jobs", TASK).make()], copy_style="loaded_modules", root_dir=tmp_path)
    entrypoint = packaged.specs[0].entrypoint
    assert entrypoint.pickled_task
    assert packaged.bundle is not None
    assert entrypoint.bundle_digest == packaged.bundle.digest


def test_a_task_of_no_file_travels_as_a_pickle_alone(tmp_path: Path) -> None:
    import flyte

    namespace: dict[str, Any] = {"flyte": flyte, "__name__": "nowhere"}
    exec(TASK, namespace)
    packaged = package([namespace["work"]], copy_style="loaded_modules", root_dir=tmp_path)
    assert packaged.bundle is None
    assert packaged.specs[0].entrypoint.pickled_task
    assert packaged.specs[0].entrypoint.module == ""


def test_no_copy_means_no_bundle(tmp_path: Path, user_module: Any) -> None:
    packaged = package([user_module("jobs", TASK).work], copy_style="none", root_dir=tmp_path)
    assert packaged.bundle is None
    assert packaged.specs[0].entrypoint.bundle_digest == ""
