"""A fresh worker runs one attempt: what its task sees, and how its end is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runner.conftest import StartWorker
from tests.runner.owner import decode, encode

from flyteapi.common.v1.error_pb2 import ERROR_KIND_USER
from flyteapi.task.v1.value_pb2 import Payload, PayloadReference

pytestmark = pytest.mark.asyncio(loop_scope="module")

Bundle = Callable[[str], Path]


async def test_an_async_task_returns_its_outputs_and_the_worker_exits(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def double(x: int) -> int:\n    return 2 * x\n")
    owner = await worker()
    end = await owner.end_of(owner.assign("double", encode(x=21), bundle=code))
    assert decode(end.outputs.inline) == [42]
    assert (await owner.gone()).exit_code == 0
    said = [report.WhichOneof("report") for report in owner.reports]
    # That it began is said once: with its end, unless something else went out between the two.
    assert said == (["hello", "ended"] if end.began else ["hello", "started", "ended"])


async def test_a_long_task_says_that_it_began_while_it_runs(
    worker: StartWorker, bundle: Bundle, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    code = bundle(
        "import pathlib\n@env.task\nasync def waits(path: str) -> None:\n"
        "    while not pathlib.Path(path).exists():\n        await asyncio.sleep(0.01)\n"
    )
    owner = await worker()
    lease = owner.assign("waits", encode(path=str(go)), bundle=code)
    await owner.until(lambda: owner.said("started"))
    go.touch()
    assert not (await owner.end_of(lease)).began


async def test_a_synchronous_task_has_the_main_thread_and_no_running_loop(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "import threading\n@env.task\ndef where() -> bool:\n"
        "    asyncio.run(asyncio.sleep(0))\n"
        "    return threading.current_thread() is threading.main_thread()\n"
    )
    owner = await worker()
    end = await owner.end_of(owner.assign("where", bundle=code, is_async=False))
    assert decode(end.outputs.inline) == [True]


async def test_the_worker_waits_until_its_end_is_accepted(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def nothing() -> None: ...\n")
    owner = await worker(accept_ends=False)
    lease = owner.assign("nothing", bundle=code)
    end = await owner.end_of(lease)
    assert end.WhichOneof("outcome") == "outputs"
    with pytest.raises(TimeoutError):
        await owner.until(lambda: owner.exit, within_s=0.3)
    owner.accept(lease)
    assert (await owner.gone()).exit_code == 0


async def test_an_exception_is_told_with_the_users_frames_only(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "def inner():\n    raise LookupError('no such row')\n@env.task\nasync def fail() -> int:\n    return inner()\n"
    )
    owner = await worker()
    error = (await owner.end_of(owner.assign("fail", bundle=code))).error
    assert (error.kind, error.code, error.message, error.recoverable) == (
        ERROR_KIND_USER,
        "LookupError",
        "no such row",
        True,
    )
    assert "user_code.py" in error.traceback
    assert "in inner" in error.traceback
    assert "flyte/runner" not in error.traceback


async def test_sys_exit_is_a_failure_of_the_task_with_its_code(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def leave() -> int:\n    sys.exit(3)\n")
    owner = await worker()
    error = (await owner.end_of(owner.assign("leave", bundle=code))).error
    assert (error.code, error.exit_code) == ("SystemExit", 3)


async def test_a_process_that_ends_itself_is_seen_by_the_cluster(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\ndef leave() -> int:\n    os._exit(7)\n")
    owner = await worker()
    owner.assign("leave", bundle=code, is_async=False)
    end = await owner.gone()
    assert (end.exit_code, end.signal, end.known) == (7, 0, True)


async def test_a_value_of_the_wrong_type_is_told_with_both_types(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def wrong() -> int:\n    return 'text'\n")
    owner = await worker()
    error = (await owner.end_of(owner.assign("wrong", bundle=code))).error
    assert error.kind == ERROR_KIND_USER
    for part in ("o0", "int", "str"):
        assert part in error.message


async def test_an_import_error_is_told_with_the_users_traceback(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("import a_module_that_is_not_there\n")
    owner = await worker()
    error = (await owner.end_of(owner.assign("anything", bundle=code))).error
    assert error.code == "ModuleNotFoundError"
    assert "a_module_that_is_not_there" in error.message
    assert "user_code.py" in error.traceback


async def test_a_task_that_is_not_in_its_module_is_told_with_a_mend(worker: StartWorker, bundle: Bundle) -> None:
    owner = await worker()
    error = (await owner.end_of(owner.assign("missing", bundle=bundle("")))).error
    assert error.code == "ModuleLoadError"
    assert "top level" in error.message


async def test_the_module_is_not_main(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "if __name__ == '__main__':\n    raise SystemExit('guarded')\n@env.task\nasync def name() -> str:\n"
        "    return __name__\n"
    )
    owner = await worker()
    end = await owner.end_of(owner.assign("name", bundle=code))
    assert decode(end.outputs.inline) == ["user_code"]


async def test_variables_of_run_and_task_are_there_before_the_import(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "AT_IMPORT = os.environ['TASK_SAYS']\n@env.task\nasync def look() -> list[str]:\n"
        "    e = os.environ\n"
        "    return [AT_IMPORT, e['RUN_SAYS'], e['BOTH'], e['FLYTE_RUN_NAME'], e['FLYTE_ATTEMPT_NUMBER'],\n"
        "            e['OF_WORKER'], e['FLYTE_ACTION_NAME']]\n"
    )
    owner = await worker(spec={"env": {"OF_WORKER": "w"}})
    lease = owner.assign(
        "look",
        bundle=code,
        spec={"env": {"TASK_SAYS": "t", "BOTH": "task"}},
        run={"env": {"RUN_SAYS": "r", "BOTH": "run"}},
        attempt=3,
        action="abc",
    )
    end = await owner.end_of(lease)
    assert decode(end.outputs.inline) == [["t", "r", "task", "run1", "2", "w", "abc"]]


async def test_the_environment_of_the_platform_does_not_leak(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def names() -> list[str]:\n    return sorted(os.environ)\n")
    owner = await worker()
    (names,) = decode((await owner.end_of(owner.assign("names", bundle=code))).outputs.inline)
    assert "PATH" in names
    assert not [name for name in names if name.startswith("PYTEST")]


async def test_the_task_context_says_where_it_is(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\nasync def where() -> list[str]:\n"
        "    c = flyte.ctx()\n"
        "    return [c.action.name, c.action.run_name, c.action.project, c.action.domain, str(c.attempt_number),\n"
        "            c.custom_context['team'], c.raw_data_path.path, c.mode]\n"
    )
    owner = await worker()
    lease = owner.assign("where", bundle=code, run={"custom_context": {"team": "a"}}, action="x1", attempt=2)
    (seen,) = decode((await owner.end_of(lease)).outputs.inline)
    assert seen[:6] == ["x1", "run1", "demo", "development", "1", "a"]
    assert seen[6].endswith("/data/x1/2/")
    assert seen[7] == "remote"


async def test_cwd_and_temporary_files_are_the_workers_own(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "import tempfile\n@env.task\nasync def folders() -> list[str]:\n"
        "    return [os.getcwd(), tempfile.mkdtemp(), os.environ['TMPDIR']]\n"
    )
    owner = await worker()
    (folders,) = decode((await owner.end_of(owner.assign("folders", bundle=code))).outputs.inline)
    await owner.gone()
    cwd, made, temp = map(Path, folders)
    assert made.is_relative_to(temp)
    assert cwd.parent == temp.parent
    assert not cwd.parent.exists()


async def test_secrets_arrive_as_variables_and_private_files(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\nasync def secrets() -> list[str]:\n"
        "    path = os.path.join(os.environ['FLYTE_SECRETS_DIR'], 'group', 'key')\n"
        "    return [os.environ['DB_PASSWORD'], open(path).read(), oct(os.stat(path).st_mode & 0o777), path]\n"
    )
    owner = await worker()
    lease = owner.assign(
        "secrets",
        bundle=code,
        secret_env={"DB_PASSWORD": b"hunter2"},
        secret_files={"/etc/flyte/secrets/group/key": b"in a file"},
    )
    (seen,) = decode((await owner.end_of(lease)).outputs.inline)
    assert seen[:3] == ["hunter2", "in a file", "0o600"]
    # On a mount that only the worker saw, or in a folder that is gone with it.
    await owner.gone()
    assert not Path(seen[3]).exists()


async def test_large_outputs_are_stored_before_they_are_spoken_of(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def much() -> bytes:\n    return b'x' * 400_000\n")
    owner = await worker()
    end = await owner.end_of(owner.assign("much", bundle=code))
    reference = end.outputs.reference
    data = Path(reference.uri.removeprefix("file://")).read_bytes()
    assert hashlib.sha256(data).digest() == reference.sha256
    assert decode(data) == [b"x" * 400_000]
    assert "/data/a0/1/" in reference.uri


@pytest.mark.parametrize("changed", [False, True])
async def test_inputs_by_reference_are_checked(
    worker: StartWorker, bundle: Bundle, tmp_path: Path, changed: bool
) -> None:
    code = bundle("@env.task\nasync def size(data: bytes) -> int:\n    return len(data)\n")
    content = encode(data=b"y" * 300_000)
    path = tmp_path / "inputs"
    path.write_bytes(content + b"!" if changed else content)
    reference = PayloadReference(uri=f"file://{path}", sha256=hashlib.sha256(content).digest(), size_bytes=len(content))
    owner = await worker()
    end = await owner.end_of(owner.assign("size", Payload(reference=reference), bundle=code))
    if changed:
        assert "was changed" in end.error.message
    else:
        assert decode(end.outputs.inline) == [300_000]


async def test_outputs_beyond_the_limit_are_refused(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def much() -> bytes:\n    return b'x' * 2000\n")
    owner = await worker()
    error = (await owner.end_of(owner.assign("much", bundle=code, spec={"max_inline_io_bytes": 1000}))).error
    assert error.code == "InlineIOMaxBytesBreached"
    assert "max_inline_io_bytes" in error.message


async def test_a_pickled_task_needs_no_bundle(worker: StartWorker, bundle: Bundle) -> None:
    import cloudpickle

    import flyte
    from flyteapi.task.v1.task_spec_pb2 import Entrypoint

    environment = flyte.TaskEnvironment("typed_in")

    async def triple(x: int) -> int:
        return 3 * x

    pickled = Entrypoint(pickled_task=cloudpickle.dumps(environment.task(triple)))
    owner = await worker()
    end = await owner.end_of(owner.assign("triple", encode(x=5), bundle=bundle(""), entrypoint=pickled))
    assert decode(end.outputs.inline) == [15]


async def test_the_report_is_stored_and_announced(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task(report=True)\nasync def tell() -> None:\n    flyte.report.log('<b>done</b>')\n")
    owner = await worker()
    await owner.end_of(owner.assign("tell", bundle=code, spec={"report": True}))
    (update,) = owner.said("report_update")
    assert "<b>done</b>" in Path(update.uri.removeprefix("file://")).read_text()


async def test_a_cancelled_coroutine_may_clean_up(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\nasync def wait() -> None:\n"
        "    print('waiting')\n"
        "    try:\n        await asyncio.sleep(60)\n    finally:\n        print('cleaned up')\n"
    )
    owner = await worker()
    lease = owner.assign("wait", bundle=code)
    await owner.until(lambda: "waiting" in owner.logged())
    owner.cancel(lease, "aborted by ann")
    error = (await owner.end_of(lease)).error
    assert (error.code, error.message) == ("CANCELLED", "aborted by ann")
    assert "cleaned up" in owner.logged()


async def test_a_cancelled_synchronous_task_is_interrupted(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\ndef wait() -> None:\n"
        "    print('waiting')\n"
        "    try:\n        time.sleep(60)\n    finally:\n        print('cleaned up')\n"
    )
    owner = await worker()
    lease = owner.assign("wait", bundle=code, is_async=False)
    await owner.until(lambda: "waiting" in owner.logged())
    owner.cancel(lease, "aborted by ann")
    error = (await owner.end_of(lease)).error
    assert (error.code, error.message) == ("CANCELLED", "aborted by ann")
    assert "cleaned up" in owner.logged()


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_revoked_attempt_says_nothing_more(worker: StartWorker, bundle: Bundle, is_async: bool) -> None:
    code = bundle(
        "@env.task\nasync def wait() -> None:\n    print('waiting')\n    await asyncio.sleep(60)\n"
        "@env.task\ndef wait_sync() -> None:\n    print('waiting')\n    time.sleep(60)\n"
    )
    owner = await worker()
    lease = owner.assign("wait" if is_async else "wait_sync", bundle=code, is_async=is_async)
    await owner.until(lambda: "waiting" in owner.logged())
    owner.revoke(lease)
    assert (await owner.gone()).exit_code == 0
    assert owner.ended(lease) is None


async def test_heartbeats_go_on_while_user_code_has_the_main_thread(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\ndef busy() -> None:\n    end = time.monotonic() + 4.5\n"
        "    while time.monotonic() < end:\n        sum(range(1000))\n"
    )
    owner = await worker()
    await owner.end_of(owner.assign("busy", bundle=code, is_async=False))
    beats = owner.said("heartbeat")
    assert len(beats) >= 2
    assert all(beat.resident_bytes > 10 << 20 for beat in beats)


async def test_processes_that_user_code_forks_are_no_workers(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "import multiprocessing\n"
        "def work(queue):\n    print('from the fork')\n    queue.put(bool(flyte.ctx()))\n"
        "@env.task\ndef fork() -> list[int]:\n"
        "    context = multiprocessing.get_context('fork')\n    queue = context.Queue()\n"
        "    process = context.Process(target=work, args=(queue,))\n    process.start()\n"
        "    is_task = queue.get()\n    process.join()\n"
        "    child = os.fork()\n"
        "    if child:\n        os.waitpid(child, 0)\n"
        "    return [int(is_task), process.exitcode]\n"
    )
    owner = await worker()
    lease = owner.assign("fork", bundle=code, is_async=False)
    assert decode((await owner.end_of(lease)).outputs.inline) == [[0, 0]]
    assert (await owner.gone()).exit_code == 0
    assert owner.raw_output == b"from the fork\n"
    assert len(owner.said("ended")) == 1


async def test_exit_functions_run_and_buffers_are_written(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "import atexit, ctypes\natexit.register(lambda: os.write(1, b'bye\\n'))\n"
        "@env.task\nasync def talk() -> None:\n    ctypes.CDLL(None).printf(b'from C\\n')\n"
    )
    owner = await worker()
    await owner.end_of(owner.assign("talk", bundle=code))
    await owner.gone()
    assert sorted(owner.raw_output.splitlines()) == [b"bye", b"from C"]
