"""Real processes: what happens to workers, and to all that they started, when anything at all dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from tests.runner.owner import Owner, decode, encode

from flyteplane.cluster.cgroups import ControlGroups
from flyteplane.cluster.ports import WorkerSpec
from flyteplane.cluster.process import ProcessCluster
from flyteplane.cluster.processes import boot_id, start_time
from flyteplane.cluster.python_installs import PythonInstall
from flyteplane.foundation.digest import digest
from flyteplane.foundation.errors import InvalidArgument

SOURCE = """
import asyncio, ctypes, os, signal, subprocess, sys, time
import flyte

env = flyte.TaskEnvironment("env")


def sleeper(**options):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], **options).pid


@env.task
def spawn() -> None:
    pids = [sleeper(), sleeper(start_new_session=True)]
    # A daemon: its parent ends at once, and it has a session of its own.
    script = "import os, time; os.fork() and os._exit(0); os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
    daemon = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    pids.append(int(daemon.stdout.readline()))
    daemon.wait()
    print(*pids, os.getpid())
    time.sleep(600)


@env.task
def ignore() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ignoring")
    time.sleep(600)


@env.task
def hold() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    # Takes the interpreter for itself: no thread of this process runs any Python from here on.
    sys.setswitchinterval(1000)
    print("held", flush=True)
    time.sleep(0.5)
    ctypes.PyDLL(None).sleep(600)


@env.task
async def quick(x: int) -> int:
    return x


@env.task
def grow(size: int) -> int:
    data = bytearray(size)
    for place in range(0, size, 4096):
        data[place] = 1
    return len(data)


@env.task
async def imported() -> str:
    import tiny_package
    return tiny_package.WORD + " " + os.environ["VIRTUAL_ENV"]
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A code bundle with the tasks above."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "user_code.py").write_text(SOURCE)
    return folder


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[ProcessCluster]:
    """A cluster on this machine."""
    cluster = ProcessCluster(tmp_path / "platform")
    yield cluster
    await cluster.close()


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def all_dead(pids: list[int], *, within_s: float = 10.0) -> bool:
    """Whether all of some processes end in time; nobody tells of processes that are not our children."""
    give_up = time.monotonic() + within_s
    while any(map(is_alive, pids)):
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(0.01)
    return True


async def started(cluster: ProcessCluster, name: str, **spec: object) -> Owner:
    """A worker that has said hello."""
    owner = Owner()
    await cluster.start(WorkerSpec(name=name, **spec), owner)  # type: ignore[arg-type]
    await owner.until(lambda: owner.reports)
    return owner


async def with_descendants(cluster: ProcessCluster, bundle: Path) -> tuple[Owner, list[int]]:
    """A worker whose task has started processes, and all their ids; the worker's own is last."""
    owner = await started(cluster, "w")
    owner.assign("spawn", bundle=bundle, is_async=False)
    line = await owner.until(lambda: owner.logged().partition("\n")[0] if "\n" in owner.logged() else "")
    return owner, [int(pid) for pid in line.split()]


async def test_kill_9_of_a_worker_takes_all_that_it_started(cluster: ProcessCluster, bundle: Path) -> None:
    owner, pids = await with_descendants(cluster, bundle)
    os.kill(pids[-1], signal.SIGKILL)
    exit = await owner.gone()
    assert (exit.signal, exit.exit_code, exit.known) == (9, 0, True)
    assert await all_dead(pids)
    assert owner.exits == 1


async def test_stop_takes_all_that_the_worker_started(cluster: ProcessCluster, bundle: Path) -> None:
    owner, pids = await with_descendants(cluster, bundle)
    await cluster.stop("w", grace_s=5.0)
    assert (await owner.gone()).signal == signal.SIGTERM
    assert await all_dead(pids)


async def test_a_closed_stream_takes_all_that_the_worker_started(cluster: ProcessCluster, bundle: Path) -> None:
    owner, pids = await with_descendants(cluster, bundle)
    assert owner.channel is not None
    owner.channel.close()
    assert (await owner.gone()).signal == 9
    assert await all_dead(pids)


async def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace(cluster: ProcessCluster, bundle: Path) -> None:
    owner = await started(cluster, "w")
    owner.assign("ignore", bundle=bundle, is_async=False)
    await owner.until(lambda: "ignoring" in owner.logged())
    begun = time.monotonic()
    await cluster.stop("w", grace_s=0.3)
    assert (await owner.gone()).signal == 9
    assert time.monotonic() - begun >= 0.3


async def test_a_worker_that_cannot_notice_the_end_of_its_stream_is_killed(
    cluster: ProcessCluster, bundle: Path
) -> None:
    """Native code that never lets go of the interpreter stops the pulse thread too."""
    owner = await started(cluster, "w")
    owner.assign("hold", bundle=bundle, is_async=False)
    await owner.until(lambda: "held" in owner.logged())
    await asyncio.sleep(1.0)
    assert owner.channel is not None
    owner.channel.close()
    assert (await owner.gone()).signal == 9


async def test_workers_outlive_their_template_and_a_new_one_takes_its_place(
    cluster: ProcessCluster, bundle: Path
) -> None:
    survivor = await started(cluster, "survivor", replica=True)
    (old,) = cluster.template_pids.values()
    os.kill(old, signal.SIGKILL)
    await asyncio.sleep(0.1)
    end = await survivor.end_of(survivor.assign("quick", encode(x=1), bundle=bundle))
    assert decode(end.outputs.inline) == [1]
    later = await started(cluster, "later")
    assert decode((await later.end_of(later.assign("quick", encode(x=2), bundle=bundle))).outputs.inline) == [2]
    (new,) = cluster.template_pids.values()
    assert new != old
    survivor.drain()
    exit = await survivor.gone()
    assert (exit.known, survivor.exits) == (False, 1)


async def test_a_worker_without_a_template_can_be_stopped(cluster: ProcessCluster, bundle: Path) -> None:
    owner, pids = await with_descendants(cluster, bundle)
    (template,) = cluster.template_pids.values()
    try:
        os.kill(template, signal.SIGKILL)
        await asyncio.sleep(0.1)
        await cluster.stop("w", grace_s=5.0)
        assert not (await owner.gone()).known
        # What has left the group is found by its control group, where there is one.
        assert await all_dead([pids[0], pids[-1]])
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def test_the_folder_is_gone_when_the_worker_is(cluster: ProcessCluster, tmp_path: Path, bundle: Path) -> None:
    owner = await started(cluster, "w", replica=True)
    folder = tmp_path / "platform" / "work" / "w"
    (folder / "cwd" / "left").mkdir()
    (folder / "cwd" / "left" / "file").write_text("x")
    note = json.loads((folder / "worker.json").read_text())
    assert note["start_time"] == start_time(note["pgid"])
    await cluster.stop("w", grace_s=5.0)
    await owner.gone()
    assert not folder.exists()
    await cluster.close()
    assert list((tmp_path / "platform" / "work").iterdir()) == []


def leave_a_worker_behind(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that runs on, with the note of a platform that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    folder = tmp_path / "platform" / "work" / "old"
    folder.mkdir(parents=True)
    note = {"pgid": process.pid, "start_time": start_time(process.pid), "boot_id": boot_id()}
    (folder / "worker.json").write_text(json.dumps(note))
    return process


async def test_leftovers_of_a_killed_platform_are_ended(cluster: ProcessCluster, tmp_path: Path) -> None:
    process = leave_a_worker_behind(tmp_path)
    await cluster.open()
    assert await asyncio.to_thread(process.wait, 10) == -signal.SIGKILL
    assert list((tmp_path / "platform" / "work").iterdir()) == []


@pytest.mark.parametrize("field", ["start_time", "boot_id"])
async def test_a_process_that_only_has_the_same_id_is_left_alone(
    cluster: ProcessCluster, tmp_path: Path, field: str
) -> None:
    process = leave_a_worker_behind(tmp_path)
    path = tmp_path / "platform" / "work" / "old" / "worker.json"
    note = json.loads(path.read_text())
    note[field] = note[field] + 1 if field == "start_time" else "another"
    path.write_text(json.dumps(note))
    await cluster.open()
    assert process.poll() is None
    process.kill()
    process.wait()


PLATFORM = """
import asyncio, sys
from pathlib import Path
from flyteplane.cluster.ports import WorkerSpec
from flyteplane.cluster.process import ProcessCluster
from tests.runner.owner import Owner

async def main() -> None:
    cluster, owner = ProcessCluster(Path(sys.argv[1])), Owner()
    await cluster.start(WorkerSpec(name="w"), owner)
    owner.assign("spawn", bundle=Path(sys.argv[2]), is_async=False)
    await owner.until(lambda: "\\n" in owner.logged())
    print(*cluster.template_pids.values(), owner.logged(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_nothing_survives_a_platform_that_was_killed(repository: Path, tmp_path: Path, bundle: Path) -> None:
    paths = [repository, repository / "sdk", repository / "services", repository / "protos" / "_generated"]
    platform = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-c", PLATFORM, str(tmp_path / "platform"), str(bundle)],
        env={**os.environ, "PYTHONPATH": ":".join(map(str, paths))},
        stdout=subprocess.PIPE,
    )
    assert platform.stdout is not None
    line = await asyncio.to_thread(platform.stdout.readline)
    pids = [int(pid) for pid in line.split()]
    assert len(pids) == 5
    platform.kill()
    platform.wait()
    platform.stdout.close()
    assert await all_dead(pids)
    groups = ControlGroups.detect("flyteplane-test")
    if groups is not None:
        name = f"flyteplane-{digest(str(tmp_path / 'platform' / 'work').encode())[:12]}"
        assert not [base for base in groups.bases if (base.parent / name).exists()]
        groups.close()
    # The next platform tidies up what could not be.
    following = ProcessCluster(tmp_path / "platform")
    await following.open()
    assert list((tmp_path / "platform" / "work").iterdir()) == []
    await following.close()


async def test_a_worker_name_that_is_no_file_name_is_refused(cluster: ProcessCluster) -> None:
    for name in ("", "../up", "a/b", ".hidden", "x" * 300):
        with pytest.raises(InvalidArgument):
            await cluster.start(WorkerSpec(name=name), Owner())


def groups_work() -> bool:
    """Whether this machine lets us limit memory by control groups."""
    groups = ControlGroups.detect("flyteplane-test")
    if groups is None:
        return False
    limits = groups.limits_memory
    groups.close()
    return limits


@pytest.mark.parametrize("spares", [0, 1])
async def test_a_worker_beyond_its_memory_is_killed_and_that_is_told(tmp_path: Path, bundle: Path, spares: int) -> None:
    if not groups_work():
        pytest.skip("control groups cannot be made here")
    cluster = ProcessCluster(tmp_path / "platform", spares=spares)
    owner = await started(cluster, "w", memory_bytes=96 << 20, cpu_millis=500)
    owner.assign("grow", encode(size=256 << 20), bundle=bundle, is_async=False)
    exit = await owner.gone()
    assert (exit.out_of_memory, exit.signal) == (True, 9)
    within = await started(cluster, "x", memory_bytes=96 << 20, cpu_millis=500)
    lease = within.assign("grow", encode(size=16 << 20), bundle=bundle, is_async=False)
    assert decode((await within.end_of(lease)).outputs.inline) == [16 << 20]
    assert not (await within.gone()).out_of_memory
    await cluster.close()


async def test_without_control_groups_memory_is_limited_by_the_process(tmp_path: Path, bundle: Path) -> None:
    cluster = ProcessCluster(tmp_path / "platform", limit_by_groups=False)
    owner = await started(cluster, "w", memory_bytes=256 << 20)
    lease = owner.assign("grow", encode(size=512 << 20), bundle=bundle, is_async=False)
    assert (await owner.end_of(lease)).error.code == "MemoryError"
    await cluster.close()


def tiny_wheel(folder: Path) -> Path:
    """A package with one word, which brings another SDK along under the name of the worker's own."""
    path = folder / "tiny_package-1.0-py3-none-any.whl"
    info = "tiny_package-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_package.py", "WORD = 'tiny'\n")
        wheel.writestr("flyte/__init__.py", "raise ImportError('the worker imports the wrong SDK')\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


async def test_packages_of_an_image_become_an_environment_that_is_kept(
    cluster: ProcessCluster, tmp_path: Path, bundle: Path
) -> None:
    requirement = f"tiny-package @ file://{tiny_wheel(tmp_path)}"
    folders = set()
    for name in ("first", "second"):
        owner = await started(cluster, name, python_installs=(PythonInstall(packages=(requirement,)),))
        end = await owner.end_of(owner.assign("imported", bundle=bundle))
        word, _, folder = str(decode(end.outputs.inline)[0]).partition(" ")
        assert word == "tiny"
        folders.add(folder)
    assert len(folders) == 1
    assert Path(folders.pop()).is_relative_to(tmp_path / "platform" / "venvs")


async def test_packages_that_cannot_be_installed_are_told_with_pips_words(
    cluster: ProcessCluster, tmp_path: Path
) -> None:
    missing = f"nothing @ file://{tmp_path}/there-is-no-such.whl"
    installs = (PythonInstall(packages=(missing,)),)
    with pytest.raises(InvalidArgument, match=r"there-is-no-such\.whl") as refusal:
        await cluster.start(WorkerSpec(name="w", python_installs=installs), Owner())
    assert refusal.value.field == "image.python_packages"


async def test_many_workers_start_and_end_at_once(cluster: ProcessCluster, bundle: Path) -> None:
    async def one(number: int) -> int:
        owner = Owner()
        await cluster.start(WorkerSpec(name=f"w{number}"), owner)
        end = await owner.end_of(owner.assign("quick", encode(x=number), bundle=bundle))
        await owner.gone()
        (value,) = decode(end.outputs.inline)
        return int(value)

    assert await asyncio.gather(*map(one, range(30))) == list(range(30))
