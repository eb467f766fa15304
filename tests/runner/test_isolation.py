"""What one task does to the process of a replica, the next one does not see; what modules set on import, all see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runner.conftest import StartWorker
from tests.runner.owner import Owner, decode, encode

pytestmark = pytest.mark.asyncio(loop_scope="module")

Bundle = Callable[[str], Path]

#: By name: how a task looks, and what it then does.
CHANGES = {
    "variable": ("os.environ.get('LEFT')", "os.environ['LEFT'] = '1'"),
    "variable of the task": ("os.environ['KEPT']", "del os.environ['KEPT']"),
    "variable for programs": ("subprocess.check_output(['env']).count(b'LEFT')", "os.environ['LEFT'] = '1'"),
    "path of modules": ("sys.path", "sys.path.insert(0, '/vendored')"),
    "list of the path": ("sys.path", "sys.path = ['/vendored', *sys.path]"),
    "arguments": ("sys.argv", "sys.argv = ['mine']"),
    "working folder": ("os.getcwd()", "os.chdir('/')"),
    "working folder that is gone": ("os.getcwd()", "os.mkdir('x'); os.chdir('x'); os.rmdir(os.getcwd())"),
    "files": ("os.listdir('.')", "os.makedirs('a/b'); open('a/b/c', 'w').close(); os.symlink('/', 'root')"),
    "temporary files": ("os.listdir(tempfile.gettempdir())", "tempfile.mkdtemp()"),
    "folder for temporary files": ("tempfile.gettempdir()", "tempfile.tempdir = '/'"),
    "umask": ("os.umask(0o22)", "os.umask(0o777)"),
    "signal handler": ("str(signal.getsignal(signal.SIGUSR1))", "signal.signal(signal.SIGUSR1, print)"),
    "ignored signal": ("str(signal.getsignal(signal.SIGINT))", "signal.signal(signal.SIGINT, signal.SIG_IGN)"),
    "blocked signals": (
        "sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])",
    ),
    "timer": ("signal.getitimer(signal.ITIMER_REAL)[0]", "signal.setitimer(signal.ITIMER_REAL, 1000)"),
    "alarm of processor time": ("signal.getitimer(signal.ITIMER_PROF)[0]", "signal.setitimer(signal.ITIMER_PROF, 99)"),
    "output": ("type(sys.stdout).__name__", "sys.stdout = io.StringIO()"),
    "exception hook": ("str(sys.excepthook)", "sys.excepthook = print"),
    "exception hook of threads": ("str(threading.excepthook)", "threading.excepthook = print"),
    "recursion limit": ("sys.getrecursionlimit()", "sys.setrecursionlimit(12345)"),
    "garbage collection": ("[gc.isenabled(), gc.get_threshold()]", "gc.disable(); gc.set_threshold(7, 7, 7)"),
    "warning filters": ("str(warnings.filters)", "warnings.simplefilter('error')"),
    "list of warning filters": (
        "str(warnings.filters)",
        "warnings.catch_warnings().__enter__(); warnings.simplefilter('error')",
    ),
    "how warnings are shown": ("str(warnings.showwarning)", "logging.captureWarnings(True)"),
    "handlers of the root logger": ("str(logging.root.handlers)", "logging.basicConfig(level=0)"),
    "level of the root logger": ("logging.getLogger('x').isEnabledFor(10)", "logging.root.setLevel(1)"),
    "disabled levels": ("logging.root.manager.disable", "logging.disable(50)"),
    "locale": ("locale.setlocale(locale.LC_ALL)", "locale.setlocale(locale.LC_ALL, 'C.UTF-8')"),
    "time zone": ("time.localtime(0)[3]", "os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()"),
    "timeout of sockets": ("socket.getdefaulttimeout()", "socket.setdefaulttimeout(3)"),
    "limit of open files": (
        "resource.getrlimit(resource.RLIMIT_NOFILE)[0]",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (99, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))",
    ),
    "limit of memory": (
        "resource.getrlimit(resource.RLIMIT_AS)[0]",
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 40, resource.getrlimit(resource.RLIMIT_AS)[1]))",
    ),
    "loop of the thread": (
        "[asyncio.get_event_loop().is_closed(), asyncio.get_event_loop().run_until_complete(asyncio.sleep(0, 5))]",
        "asyncio.get_event_loop().close()",
    ),
    "loop that asyncio.run has used up": ("asyncio.get_event_loop().is_closed()", "asyncio.run(asyncio.sleep(0))"),
    "event loop policy": (
        "type(asyncio.get_event_loop_policy()).__module__",
        "asyncio.set_event_loop_policy(type('Own', (asyncio.DefaultEventLoopPolicy,), {'__module__': 'mine'})())",
    ),
    "context variable": ("variable.get()", "variable.set('used')"),
    "decimal context": ("decimal.getcontext().prec", "decimal.getcontext().prec = 3"),
}
HEAD = (
    "import contextvars, decimal, gc, io, json, locale, logging, resource, signal, socket, subprocess, tempfile\n"
    "import threading, warnings\n"
    "variable = contextvars.ContextVar('variable', default='fresh')\n"
)
TASK = """
@env.task
def change(name: str) -> str:
    seen = {look}
    {act}
    return json.dumps(seen)
"""


def look_and_change(look: str, act: str) -> str:
    return HEAD + TASK.format(look=look, act=act)


async def seen_by(owner: Owner, code: Path, function: str, *, action: str, is_async: bool = False) -> object:
    """What a task returned, as text."""
    lease = owner.assign(function, encode(name=""), bundle=code, is_async=is_async, action=action)
    (value,) = decode((await owner.end_of(lease)).outputs.inline)
    return json.loads(str(value))


@pytest.mark.parametrize("change", CHANGES)
async def test_the_next_task_finds_the_process_as_it_was(worker: StartWorker, bundle: Bundle, change: str) -> None:
    look, act = CHANGES[change]
    code = bundle(look_and_change(look, act))
    owner = await worker(replica=True, spec={"env": {"KEPT": "yes"}})
    seen = [await seen_by(owner, code, "change", action=f"a{number}") for number in range(3)]
    assert seen[0] == seen[1] == seen[2]


async def test_a_change_that_is_not_put_back_would_be_seen(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(look_and_change("sys.modules['decimal'].__doc__ == 'mine'", "decimal.__doc__ = 'mine'"))
    owner = await worker(replica=True)
    assert [await seen_by(owner, code, "change", action=f"a{number}") for number in range(2)] == [False, True]


MODULE_SETS = """
os.environ['BY_MODULE'] = 'yes'
os.environ['KEPT'] += ' indeed'
sys.path.append('/by-module')
logging.basicConfig(level=7)
os.umask(0o27)
warnings.simplefilter('ignore', ResourceWarning)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
"""
LOOKS_AT_IT = """[
    os.environ.get('BY_MODULE'), os.environ['KEPT'], os.umask(0), sys.path[-1], logging.root.level,
    len(logging.root.handlers), str(warnings.filters[0]), str(signal.getsignal(signal.SIGUSR1))]"""
UNDOES_IT = """os.environ['BY_MODULE'] = os.environ['KEPT'] = 'no'; sys.path.clear(); logging.root.handlers.clear()
    warnings.resetwarnings(); signal.signal(signal.SIGUSR1, signal.SIG_DFL)"""


@pytest.mark.parametrize(
    ("look", "act"),
    [
        ("random.getstate()[1][:3]", "random.seed(4711)"),
        ("len(logging.getLogger('mine').handlers)", "logging.getLogger('mine').addHandler(logging.NullHandler())"),
        ("threading.active_count()", "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"),
    ],
    ids=["state of random", "handlers of other loggers", "threads"],
)
async def test_what_belongs_to_modules_stays_as_the_documentation_says(
    worker: StartWorker, bundle: Bundle, look: str, act: str
) -> None:
    code = bundle("import random\n" + look_and_change(look, act))
    owner = await worker(replica=True)
    seen = [await seen_by(owner, code, "change", action=f"a{number}") for number in range(2)]
    assert seen[0] != seen[1]


async def test_a_thread_that_was_left_behind_does_not_write_to_a_task_that_is_over(
    worker: StartWorker, bundle: Bundle
) -> None:
    code = bundle(
        HEAD + "go, done = threading.Event(), threading.Event()\n"
        "def write() -> None:\n    go.wait()\n    print('from the thread')\n    done.set()\n"
        "@env.task\ndef leave(name: str) -> str:\n"
        "    threading.Thread(target=write, daemon=True).start()\n    return '1'\n"
        "@env.task\ndef let_go(name: str) -> str:\n    go.set()\n    return json.dumps(done.wait(10))\n"
    )
    owner = await worker(replica=True)
    left = owner.assign("leave", encode(name=""), bundle=code, is_async=False, action="a0")
    await owner.end_of(left)
    assert await seen_by(owner, code, "let_go", action="a1") is True
    assert "from the thread" not in owner.logged(left)


async def test_what_modules_set_while_they_are_imported_lasts(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(HEAD + MODULE_SETS + TASK.format(look=LOOKS_AT_IT, act=UNDOES_IT))
    owner = await worker(replica=True, spec={"env": {"KEPT": "yes"}})
    first = await seen_by(owner, code, "change", action="a0")
    assert isinstance(first, list)
    assert first[:6] == ["yes", "yes indeed", 0o27, "/by-module", 7, 1]
    assert await seen_by(owner, code, "change", action="a1") == first


async def test_what_a_module_sets_that_cannot_be_imported_is_put_back(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        HEAD + TASK.format(look="[os.environ.get('BROKEN'), sys.path.count('/broken')]", act="pass"),
    )
    (code / "broken.py").write_text("import os, sys\nos.environ['BROKEN'] = '1'\nsys.path.append('/broken')\n1 / 0\n")
    owner = await worker(replica=True)
    failed = owner.assign("change", encode(name=""), bundle=code, module="broken", is_async=False)
    assert "division by zero" in (await owner.end_of(failed)).error.message
    assert await seen_by(owner, code, "change", action="a1") == [None, 0]


async def test_a_module_imported_beside_others_keeps_only_what_it_sets_itself(
    worker: StartWorker, bundle: Bundle
) -> None:
    code = bundle(
        HEAD + "@env.task\nasync def hold(name: str) -> str:\n    os.environ['OF_TASK'] = '1'\n"
        "    sys.path.append('/of-task')\n    print('holding')\n    await asyncio.sleep(60)\n    return ''\n"
        + TASK.format(look="[os.environ.get('OF_TASK'), sys.path.count('/of-task')]", act="pass")
    )
    (code / "late.py").write_text(
        "import os, sys\nimport flyte\nenv = flyte.TaskEnvironment('late')\nos.environ['OF_MODULE'] = '1'\n"
        "@env.task\nasync def quick(name: str) -> str:\n    return '0'\n"
    )
    owner = await worker(replica=True)
    holding = owner.assign("hold", encode(name=""), bundle=code, action="a0")
    await owner.until(lambda: "holding" in owner.logged(holding))
    late = owner.assign("quick", encode(name=""), bundle=code, module="late", action="a1")
    await owner.end_of(late)
    owner.cancel(holding)
    await owner.end_of(holding)
    assert await seen_by(owner, code, "change", action="a2") == [None, 0]


async def test_nothing_is_put_back_under_a_task_that_runs_on(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        HEAD + "@env.task\nasync def both(name: str) -> str:\n    os.environ[name] = 'mine'\n"
        "    open(name, 'w').close()\n    await asyncio.sleep(0 if name == 'short' else 0.3)\n"
        "    return json.dumps([os.environ[name], os.path.exists(name)])\n"
    )
    owner = await worker(replica=True)
    long = owner.assign("both", encode(name="long"), bundle=code, action="a0")
    await owner.end_of(owner.assign("both", encode(name="short"), bundle=code, action="a1"))
    (value,) = decode((await owner.end_of(long)).outputs.inline)
    assert json.loads(str(value)) == ["mine", True]


async def test_a_copy_of_a_secret_goes_with_the_task_that_made_it(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        HEAD + "@env.task\ndef copy(name: str) -> str:\n    os.environ['COPY'] = os.environ['TOKEN']\n"
        "    open('copy', 'w').write(os.environ['TOKEN'])\n    return '1'\n"
        "@env.task\ndef search(name: str) -> str:\n"
        "    kept = open(f'/proc/{os.getpid()}/environ').read() + str(os.environ) + str(os.listdir('.'))\n"
        "    return json.dumps([word in kept for word in ('s3cret', 'COPY', 'TOKEN')])\n"
    )
    owner = await worker(replica=True)
    secret = owner.assign(
        "copy", encode(name=""), bundle=code, is_async=False, secret_env={"TOKEN": b"s3cret"}, action="a0"
    )
    await owner.end_of(secret)
    assert await seen_by(owner, code, "search", action="a1") == [False, False, False]


async def test_a_secret_goes_although_another_task_ends_later(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        HEAD + "@env.task\nasync def hold(name: str) -> str:\n    print('holding')\n"
        "    await asyncio.sleep(0.2)\n    return '1'\n"
        "@env.task\ndef search(name: str) -> str:\n    return json.dumps('TOKEN' in os.environ)\n"
    )
    owner = await worker(replica=True)
    asked = owner.assign("hold", encode(name=""), bundle=code, secret_env={"TOKEN": b"s3cret"}, action="a0")
    await owner.until(lambda: "holding" in owner.logged(asked))
    other = owner.assign("hold", encode(name=""), bundle=code, action="a1")
    await owner.end_of(asked)
    await owner.end_of(other)
    assert await seen_by(owner, code, "search", action="a2") is False


async def test_output_belongs_to_the_task_that_wrote_it(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        HEAD + "handler = logging.StreamHandler()\nlog = logging.getLogger('warm')\nlog.addHandler(handler)\n"
        "@env.task\ndef say(name: str) -> str:\n    print('printed', name)\n    log.error('logged %s', name)\n"
        "    sys.stderr.write('no end of line ' + name)\n    return '1'\n"
    )
    owner = await worker(replica=True)
    leases = [
        owner.assign("say", encode(name=f"n{number}"), bundle=code, is_async=False, action=f"a{number}")
        for number in range(2)
    ]
    for number, lease in enumerate(leases):
        await owner.end_of(lease)
        logged = owner.logged(lease)
        assert f"printed n{number}" in logged
        assert f"logged n{number}" in logged
        assert f"n{1 - number}" not in logged
