"""What makes a worker load sooner: stand-ins, prepared methods, modules that are loaded later."""

from __future__ import annotations

import dataclasses
import marshal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import HEAD, StartPod, pack
from tests.support.worker_owner import Listener, StoredData, WorkerOwner

from flyte.runner.later import LATER, load_before_searching
from flyte.runner.pod.deferred import deferred
from flyte.runner.pod.prepared import prepare, prepared


@pytest.fixture
def unknown_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that nobody has loaded."""
    (tmp_path / "seldom_used.py").write_text("import sys\nsys.seldom_used_loads += 1\nVALUE = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "seldom_used_loads", 0, raising=False)
    monkeypatch.delitem(sys.modules, "seldom_used", raising=False)
    return "seldom_used"


def loads() -> int:
    """How often the module was loaded."""
    count: int = vars(sys)["seldom_used_loads"]
    return count


def stand_in_for(name: str) -> ModuleType:
    """What somebody has who imports it in the block."""
    with deferred(name):
        return __import__(name)


def test_a_deferred_module_is_loaded_when_something_of_it_is_used_and_once(unknown_module: str) -> None:
    stand_in = stand_in_for(unknown_module)
    assert loads() == 0
    assert stand_in.VALUE == 7
    assert stand_in.VALUE == 7
    assert loads() == 1


def test_others_import_the_real_module_and_change_it_for_all(unknown_module: str) -> None:
    stand_in = stand_in_for(unknown_module)
    real = __import__(unknown_module)
    assert type(real) is ModuleType
    real.VALUE = 8  # type: ignore[attr-defined]
    assert stand_in.VALUE == 8
    assert loads() == 1


def test_a_use_within_the_block_loads_it_too(unknown_module: str) -> None:
    with deferred(unknown_module):
        assert __import__(unknown_module).VALUE == 7
    assert type(sys.modules[unknown_module]) is ModuleType
    assert loads() == 1


def test_a_package_has_its_deferred_modules_as_attributes() -> None:
    program = (
        "from flyte.runner.pod.deferred import deferred\n"
        "with deferred('asyncio.sslproto', 'ssl'):\n    import asyncio\n"
        "import sys\nassert not {'ssl', 'asyncio.sslproto'} & sys.modules.keys()\n"
        "assert asyncio.sslproto.SSLProtocol is sys.modules['asyncio.sslproto'].SSLProtocol\n"
    )
    assert {"ssl", "asyncio.sslproto"} <= modules_after(program)


def test_a_module_that_is_there_is_not_deferred() -> None:
    with deferred("dataclasses"):
        assert __import__("dataclasses") is dataclasses
    assert sys.modules["dataclasses"] is dataclasses


def test_what_a_deferred_module_does_not_have_is_missing(unknown_module: str) -> None:
    with pytest.raises(AttributeError, match="NOTHING"):
        stand_in_for(unknown_module).NOTHING  # noqa: B018


def define() -> type[Any]:
    """A class, made anew each time."""

    @dataclasses.dataclass(frozen=True, slots=True, order=True)
    class Point:
        x: int
        names: list[str] = dataclasses.field(default_factory=list)

    return Point


def behaviour(kind: type[Any]) -> tuple[Any, ...]:
    """What the methods of the class do."""
    one, other = kind(1), kind(2, ["a"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.x = 3
    return repr(one), one == kind(1), one < other, one.names is kind(1).names, kind.__init__.__qualname__


def test_prepared_methods_are_those_that_would_have_been_compiled(tmp_path: Path) -> None:
    file = str(tmp_path / "prepared")
    assert prepare(define, file) > 3
    with prepared(file):
        sooner = define()
    assert behaviour(sooner) == behaviour(define())


def test_prepared_methods_are_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "prepared"
    prepare(define, str(file))
    hexversion, codes = marshal.loads(file.read_bytes())
    marked = compile("raise RuntimeError('from the file')", "<string>", "exec")
    file.write_bytes(marshal.dumps((hexversion, dict.fromkeys(codes, marshal.dumps(marked)))))
    with prepared(str(file)), pytest.raises(RuntimeError, match="from the file"):
        define()
    define()


@pytest.mark.parametrize("content", [None, b"", b"damaged", marshal.dumps((1, {"text": b""})), marshal.dumps(7)])
def test_without_a_file_of_this_python_classes_are_made_as_ever(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "prepared"
    if content is not None:
        file.write_bytes(content)
    with prepared(str(file)):
        assert behaviour(define()) == behaviour(define())


def modules_after(program: str, *arguments: str) -> set[str]:
    """The modules that a fresh interpreter has loaded."""
    shown = "\nimport sys\nprint(*sys.modules)\n"
    command = [sys.executable, "-P", "-c", program + shown, *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


LOAD = "import sys\nfrom flyte.runner.later import load_before_searching\nload_before_searching(sys.argv[1:])"


@pytest.mark.parametrize(
    ("name", "all_at_once"),
    [("secrets.py", True), ("platform", True), ("train.py", False), ("test", False), ("os.py", False)],
)
def test_a_project_with_names_of_the_standard_library_has_everything_loaded_before(
    tmp_path: Path, name: str, all_at_once: bool
) -> None:
    (tmp_path / name).touch()
    assert (set(LATER) <= modules_after(LOAD, str(tmp_path))) is all_at_once


def test_a_folder_that_cannot_be_read_has_no_such_names() -> None:
    load_before_searching(["/nowhere/at/all"])


def test_a_worker_loads_little_before_its_task() -> None:
    loaded = modules_after("import flyte.runner.pod.common, flyte.authoring.task_environment, flyte.runner.worker")
    assert not loaded & {*LATER, "grpc", "ssl", "tarfile", "numpy", "cloudpickle"} - {"json", "traceback"}


async def test_a_project_that_hides_the_standard_library_runs(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod
) -> None:
    hiding = {f"{name}.py": "raise RuntimeError('not yours')\n" for name in ("uuid", "hashlib", "decimal", "tempfile")}
    code = f"{HEAD}@env.task\nasync def f(x: int, word: str) -> str:\n    return x * word\n"
    digest = pack(data, {"user_code.py": code, **hiding})
    owner.assign("f", encode(x=2, word="ab"), bundle=digest)
    pod = await start_pod(listener.address)
    assert decode((await owner.end()).outputs.inline) == ["abab"]
    assert await pod.exit_code() == 0
