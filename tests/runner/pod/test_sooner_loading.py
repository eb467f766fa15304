"""What makes a worker load sooner: stand-ins, prepared methods, modules that are loaded later."""

from __future__ import annotations

import dataclasses
import marshal
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import HEAD, StartPod, pack
from tests.support.worker_owner import Listener, StoredData, WorkerOwner

from flyte.runner.later import LATER, load_before_searching
from flyte.runner.pod.deferred import MESSAGES, SELDOM_USED, deferred
from flyte.runner.pod.packed_modules import PackedFile, write_packed_file
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


def test_a_function_that_is_only_looked_up_does_not_load_its_module() -> None:
    program = (
        "from flyte.runner.pod.deferred import deferred\n"
        "with deferred('traceback'):\n    import asyncio\n"
        "import sys\nassert 'traceback' not in sys.modules\n"
        "async def made() -> str:\n    return repr(asyncio.get_running_loop().create_future())\n"
        "assert 'created at' in asyncio.run(made(), debug=True)\n"
    )
    assert "traceback" in modules_after(program)


def test_asyncio_has_its_defaults_of_subprocess_without_loading_it() -> None:
    program = (
        "from flyte.runner.pod.deferred import SELDOM_USED, deferred\n"
        "with deferred(*SELDOM_USED):\n    import asyncio\n"
        "import sys\nassert not {'subprocess', 'asyncio.staggered', 'array'} & sys.modules.keys()\n"
        "from asyncio import subprocess as taken\n"
        "names = ('PIPE', 'STDOUT', 'DEVNULL')\nhad = [getattr(taken, name) for name in names]\n"
        "import subprocess\nassert had == [getattr(subprocess, name) for name in names]\n"
        "async def run() -> bytes:\n    echo = await asyncio.create_subprocess_exec('echo', 'hi', stdout=taken.PIPE)\n"
        "    return (await echo.communicate())[0]\n"
        "assert asyncio.run(run()) == b'hi\\n'\n"
    )
    assert "subprocess" in modules_after(program)


TAKES_MESSAGES = (
    "from flyte.runner.pod.deferred import MESSAGES, deferred\nwith deferred(*MESSAGES):\n"
    "    from flyteapi.common.v1 import phase_pb2\n"
    "    from flyteapi.scheduler.v1.worker_service_pb2 import SessionResponse, WorkerOrder\n"
    "import sys\nassert 'google.protobuf' not in sys.modules\n"
)


@pytest.mark.parametrize(
    "use", ["SessionResponse.FromString(b'')", "WorkerOrder(lease=1)", "phase_pb2.PHASE_SUCCEEDED"]
)
def test_messages_are_loaded_when_one_of_them_is_made_or_read(use: str) -> None:
    read_back = "assert SessionResponse.FromString(SessionResponse(orders=[WorkerOrder(lease=7)]).SerializeToString())"
    program = f"{TAKES_MESSAGES}assert {use} is not None\n{read_back}.orders[0].lease == 7"
    assert "flyteapi.scheduler.v1.worker_service_pb2" in modules_after(program)


def test_messages_that_are_imported_after_the_block_are_the_real_ones() -> None:
    program = (
        f"{TAKES_MESSAGES}from flyteapi.common.v1 import error_pb2, phase_pb2 as real\n"
        "from flyteapi.scheduler.v1 import worker_service_pb2\n"
        "assert {type(module).__name__ for module in (error_pb2, real, worker_service_pb2)} == {'module'}\n"
        "assert isinstance(WorkerOrder(), worker_service_pb2.WorkerOrder)\n"
        "assert real.PHASE_SUCCEEDED == phase_pb2.PHASE_SUCCEEDED\n"
    )
    modules_after(program)


def test_threads_that_use_a_stand_in_at_once_load_its_module_once(unknown_module: str, tmp_path: Path) -> None:
    (tmp_path / "seldom_used.py").write_text(
        "import sys, time\nsys.seldom_used_loads += 1\ntime.sleep(0.05)\nVALUE = 7\n"
    )
    stand_in = stand_in_for(unknown_module)
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(lambda _: stand_in.VALUE, range(8))] == [7] * 8
    assert loads() == 1


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


def prepare_for(load: Callable[[], object], file: Path) -> None:
    """The file without modules: those of the tests are many."""
    prepare(load, str(file), modules=list)


def test_prepared_methods_are_those_that_would_have_been_compiled(tmp_path: Path) -> None:
    file = tmp_path / "prepared"
    prepare_for(define, file)
    assert len(PackedFile(str(file)).table["texts"]) > 3
    with prepared(str(file)):
        sooner = define()
    assert behaviour(sooner) == behaviour(define())


def test_prepared_methods_are_not_compiled_again(tmp_path: Path) -> None:
    file = tmp_path / "prepared"
    prepare_for(define, file)
    marked = compile("raise RuntimeError('from the file')", "<string>", "exec")
    texts = dict.fromkeys(PackedFile(str(file)).table["texts"], marked)
    write_packed_file(str(file), {"texts": texts}, [])
    with prepared(str(file)), pytest.raises(RuntimeError, match="from the file"):
        define()
    define()


PATTERNS: tuple[tuple[Any, int], ...] = (
    (r"(?P<key>\w+)=(\d*|(?P<word>a+))", 0),
    (r"^ (one) \s+ # two", re.X | re.M | re.I),
    (rb"[\x80-\xff]+", 0),
    (r"([^\W\d]{2,}?)(?<!x)(?=\1)?", re.S),
)


def compile_patterns() -> list[tuple[Any, ...]]:
    """What can be seen of compiled patterns."""
    re.purge()
    made = [re.compile(pattern, flags) for pattern, flags in PATTERNS]
    found = [(made[0].findall("a=1 b=aa"), made[1].findall(" ONE  "), made[2].findall(b"a\x90\x91b"))]
    return [*found, *((one.pattern, one.flags, one.groups, dict(one.groupindex)) for one in made)]


def test_prepared_patterns_are_those_that_would_have_been_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "prepared"
    expected = compile_patterns()
    prepare_for(compile_patterns, file)
    assert len(PackedFile(str(file)).table["patterns"]) == len(PATTERNS)
    with prepared(str(file)), monkeypatch.context() as no_parser:
        no_parser.setattr(sys.modules["re._parser"], "parse", None)
        assert compile_patterns() == expected
    assert compile_patterns() == expected


@pytest.mark.parametrize("content", [None, b"", b"damaged", bytes(8) + marshal.dumps(7), b"\xff" * 64])
def test_without_a_file_of_this_python_classes_are_made_as_ever(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "prepared"
    if content is not None:
        file.write_bytes(content)
    with prepared(str(file)):
        assert behaviour(define()) == behaviour(define())


def of_another_python(content: bytes) -> bytes:
    own = marshal.dumps(sys.hexversion)[1:]
    assert own in content
    return content.replace(own, bytes(len(own)))


@pytest.mark.parametrize("change", [of_another_python, lambda content: content[:-2000]])
def test_a_file_of_another_python_or_without_its_end_is_not_used(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "prepared"
    prepare_for(define, file)
    file.write_bytes(change(file.read_bytes()))
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
    [
        ("secrets.py", True),
        ("platform", True),
        ("google", True),
        ("train.py", False),
        ("test", False),
        ("os.py", False),
    ],
)
def test_a_project_with_names_of_the_standard_library_has_everything_loaded_before(
    tmp_path: Path, name: str, all_at_once: bool
) -> None:
    (tmp_path / name).touch()
    assert ({*LATER, *SELDOM_USED, *MESSAGES} <= modules_after(LOAD, str(tmp_path))) is all_at_once


def test_a_folder_that_cannot_be_read_has_no_such_names() -> None:
    load_before_searching(["/nowhere/at/all"])


WORKER = (
    "import flyte.runner.pod.__main__\nfrom flyte.runner.pod.prepared import prepared\n"
    "from flyte.runner.pod.deferred import MESSAGES\nwith prepared(later=MESSAGES):\n"
    "    import flyte.authoring.task_environment, flyte.runner.worker\nimport flyte\n"
    "env = flyte.TaskEnvironment('env', resources=flyte.Resources(cpu=1))\n"
    "@env.task\nasync def first() -> float:\n    'Waits for nobody.'\n"
    "from flyte.runner.tasks import LoadedTask\n"
    "loaded = LoadedTask(task=first, is_async=True, function=first.func, max_inline_io_bytes=9)\n"
    "assert loaded.decode_inputs(b'') == {}\n"
)


def test_a_worker_loads_little_before_its_task() -> None:
    absent = {
        *LATER,
        *SELDOM_USED,
        *MESSAGES,
        "google.protobuf",
        "grpc",
        "ssl",
        "tarfile",
        "numpy",
        "cloudpickle",
        "ast",
        "tokenize",
        "textwrap",
    }
    assert not modules_after(WORKER) & absent - {"json"}


def test_an_agent_leaves_to_its_worker_what_it_needs_later_itself() -> None:
    program = (
        "import flyte.runner.pod.__main__\nfrom flyte.runner.pod.prepared import prepared\nwith prepared():\n"
        "    import flyte.runner.pod.workplace, flyte.runner.pod.head_start\n"
    )
    assert not modules_after(program) & {"asyncio", "grpc", "logging", "flyte.runner.pod.agent"}


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
