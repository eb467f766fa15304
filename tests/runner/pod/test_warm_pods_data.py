"""Data, variables, secrets and files on a replica in a pod: each attempt has its own, by its own token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import StartPod
from tests.support.pool_owner import PoolOwner
from tests.support.worker_owner import DATA_PREFIX, RUN_KEY, Listener, StoredData

Bundle = Callable[[str], str]
RUN = f"{DATA_PREFIX}{RUN_KEY}/"

#: Each of two attempts waits until the other has begun as well.
TOGETHER = (
    "import threading, contextvars\nfrom flyte import storage\n"
    "async def together(folder, mine, other):\n"
    "    open(f'{folder}/{mine}', 'w').close()\n"
    "    while not os.path.exists(f'{folder}/{other}'):\n        await asyncio.sleep(0.01)\n"
)


def signals(tmp_path: Path) -> str:
    """A folder beside the worker's; what attempts leave in their own is removed."""
    folder = tmp_path / "signals"
    folder.mkdir()
    return str(folder)


async def test_attempts_at_once_read_and_write_each_with_its_own_token(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    source = (
        "@env.task\nasync def f(folder: str, mine: str, other: str) -> str:\n"
        "    await together(folder, mine, other)\n    own = flyte.ctx().raw_data_path.path\n"
        "    for number in range(5):\n"
        "        await storage.put_stream(f'{mine}{number}'.encode(), to_path=f'{own}{number}')\n"
        "    storage.put_bytes(mine.encode(), f'{own}at-once')\n"
        "    return mine * 2_000_000\n"
    )
    digest, folder = bundle(TOGETHER + source), signals(tmp_path)
    await start_replica(pool_listener.address)
    pool.place(1, "f", encode(folder=folder, mine="a", other="b"), bundle=digest)
    pool.place(2, "f", encode(folder=folder, mine="b", other="a"), bundle=digest)
    for lease, mine in ((1, "a"), (2, "b")):
        end = await pool.end_of(lease)
        assert end.HasField("outputs"), end.error
        own = f"{RUN}a{lease}/1/"
        assert decode(data.objects[end.outputs.reference.uri]) == [mine * 2_000_000]
        written = [uri for uri in data.objects if uri.startswith(own)]
        assert len(written) == 7
        assert {token for uri in written for token in data.tokens_for(uri)} == {f"token-{lease}"}


async def test_a_thread_of_no_task_has_the_rights_of_the_task_whose_data_it_asks_for_or_none(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    shared = f"{DATA_PREFIX}demo/development/shared"
    data.objects[shared] = b"for all"
    source = (
        "async def in_thread(work, *given):\n"
        "    found = []\n"
        "    def run():\n"
        "        try:\n            found.append(str(work(*given)))\n"
        "        except PermissionError as error:\n            found.append(str(error))\n"
        "    thread = threading.Thread(target=run)\n    thread.start()\n"
        "    await asyncio.to_thread(thread.join)\n    return found[0]\n"
        "@env.task\nasync def asks(folder: str) -> list[str]:\n"
        "    own = flyte.ctx().raw_data_path.path + 'x'\n"
        f"    alone = await in_thread(storage.get_bytes, '{shared}')\n    print(alone)\n"
        "    await together(folder, 'a', 'b')\n"
        "    await in_thread(storage.put_bytes, b'mine', own)\n"
        f"    refused = await in_thread(storage.get_bytes, '{shared}')\n"
        f"    read = await in_thread(contextvars.copy_context().run, storage.get_bytes, '{shared}')\n"
        "    await together(folder, 'done', 'b')\n    return [alone, refused, read]\n"
        "@env.task\nasync def stays(folder: str) -> None:\n    await together(folder, 'b', 'done')\n"
    )
    digest, folder = bundle(TOGETHER + source), signals(tmp_path)
    await start_replica(pool_listener.address)
    pool.place(1, "asks", encode(folder=folder), bundle=digest)
    await pool.until(lambda: pool.printed(1))
    pool.place(2, "stays", encode(folder=folder), bundle=digest)
    alone, refused, read = decode((await pool.end_of(1)).outputs.inline, list[str])[0]
    assert alone == read == "b'for all'"
    assert "it is not known for which of this replica's tasks" in refused
    assert data.objects[f"{RUN}a1/1/x"] == b"mine"
    assert {token for _what, token in data.asked} == {"token-1"}


async def test_what_goes_on_after_its_attempt_may_not_reach_anything(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    data.objects[f"{DATA_PREFIX}demo/development/shared"] = b"for all"
    source = (
        "said = []\n"
        "def reads_late(path):\n"
        "    while not os.path.exists(path):\n        time.sleep(0.01)\n"
        f"    try:\n        said.append(str(storage.get_bytes('{DATA_PREFIX}demo/development/shared')))\n"
        "    except PermissionError as error:\n        said.append(str(error))\n"
        "@env.task\nasync def leaves(path: str) -> None:\n"
        "    context = contextvars.copy_context()\n"
        "    threading.Thread(target=context.run, args=(reads_late, path), daemon=True).start()\n"
        "@env.task\nasync def hears(path: str) -> str:\n    open(path, 'w').close()\n"
        "    while not said:\n        await asyncio.sleep(0.01)\n    return said[0]\n"
    )
    digest, path = bundle(TOGETHER + source), f"{signals(tmp_path)}/go"
    await start_replica(pool_listener.address)
    pool.place(1, "leaves", encode(path=path), bundle=digest)
    await pool.end_of(1)
    pool.place(2, "hears", encode(path=path), bundle=digest)
    (said,) = decode((await pool.end_of(2)).outputs.inline)
    assert "the attempt that asks for it is over" in said


async def test_variables_secrets_and_files_of_one_attempt_are_gone_for_the_next(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "of-the-image.txt").write_text("stays")
    source = (
        "import tempfile\nfrom pathlib import Path\n"
        "@env.task\nasync def leaves() -> str:\n"
        "    Path('left.txt').write_text('x')\n    os.mkdir('left')\n    tempfile.mkstemp()\n"
        "    os.environ['LEFT'] = 'x'\n    secret = Path(os.environ['FLYTE_SECRETS_DIR'], 'team', 'key')\n"
        "    found = secret.read_text() + os.environ['KEY'] + os.environ['COLOUR']\n    os.chdir('/')\n"
        "    return found[::-1]\n"
        "@env.task\nasync def looks() -> list[str]:\n"
        "    secrets = os.environ.get('FLYTE_SECRETS_DIR', '')\n"
        "    return [*sorted(os.listdir('.')), *os.listdir(tempfile.gettempdir()),\n"
        "            *(name for name in ('LEFT', 'KEY', 'COLOUR', 'FLYTE_SECRETS_DIR') if name in os.environ)]\n"
    )
    digest = bundle(source)
    await start_replica(pool_listener.address)
    before = {path.name for path in tmp_path.iterdir()}
    files = {"/etc/flyte/secrets/team/key": b"sesame1111"}
    spec = {"env": {"COLOUR": "red"}}
    pool.place(1, "leaves", bundle=digest, spec=spec, secret_env={"KEY": b"hunter2222"}, secret_files=files)
    end = await pool.end_of(1)
    assert decode(end.outputs.inline) == ["sesame1111hunter2222red"[::-1]], end
    pool.place(2, "looks", bundle=digest)
    (found,) = decode((await pool.end_of(2)).outputs.inline, list[str])
    assert set(found) == before
    assert "of-the-image.txt" in found


async def test_secret_values_are_masked_also_in_what_programs_write_that_a_task_starts(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle
) -> None:
    source = (
        "import subprocess\n@env.task\nasync def f() -> None:\n"
        "    print('it is', os.environ['KEY'])\n"
        "    subprocess.run(['sh', '-c', 'echo really $KEY'], check=True)\n"
    )
    pod = await start_replica(pool_listener.address)
    pool.place(1, "f", bundle=bundle(source), secret_env={"KEY": b"hunter2222"})
    await pool.end_of(1)
    assert sorted(pool.printed(1).splitlines()) == ["it is [secret]", "really [secret]"]
    pool.drain()
    assert await pod.exit_code() == 0
    shown = pod.stdout + pod.stderr
    assert b"really [secret]" in shown
    assert b"hunter2222" not in shown
