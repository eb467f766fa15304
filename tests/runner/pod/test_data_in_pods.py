"""Files, folders and large values of a task in a pod go through the platform, whatever their addresses say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import StartPod
from tests.support.worker_owner import DATA_PREFIX, RUN_KEY, Listener, StoredData, WorkerOwner

from flyteapi.task.v1.value_pb2 import Payload, PayloadReference

Bundle = Callable[[str], str]
OWN = f"{DATA_PREFIX}{RUN_KEY}/a0/1/"


async def test_large_inputs_and_outputs_are_read_and_written(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    content = encode(text="x" * 5_000_000)
    uri = f"{DATA_PREFIX}demo/development/run1/inputs"
    data.objects[uri] = content
    reference = PayloadReference(uri=uri, sha256=hashlib.sha256(content).digest(), size_bytes=len(content))
    source = "@env.task\nasync def f(text: str) -> str:\n    return text + text\n"
    owner.assign("f", Payload(reference=reference), bundle=bundle(source))
    pod = await start_pod(listener.address)
    outputs = (await owner.end()).outputs
    assert outputs.reference.uri == f"{OWN}outputs"
    assert decode(data.objects[outputs.reference.uri]) == ["x" * 10_000_000]
    assert await pod.exit_code() == 0


async def test_files_and_folders_are_read_and_written(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    data.objects["file:///nowhere/on/this/machine/inputs/demo/development/abc/in.txt"] = b"first\nsecond\n" * 500_000
    source = (
        "from pathlib import Path\nfrom flyte.io import Dir, File\n"
        "@env.task\nasync def f() -> str:\n"
        "    given = File(path='file:///nowhere/on/this/machine/inputs/demo/development/abc/in.txt')\n"
        "    async with given.open('r') as lines:\n        first = await lines.readline()\n"
        "    assert Path(await given.download()).stat().st_size == 6_500_000\n"
        "    folder = Path('made')\n    (folder / 'sub').mkdir(parents=True)\n"
        "    (folder / 'a b.txt').write_text('one')\n    (folder / 'sub' / 'c%.txt').write_text('two')\n"
        "    stored = await Dir.from_local(str(folder))\n"
        "    names = sorted([file.name async for file in stored.walk()])\n"
        "    copy = Path(await stored.download('copied'))\n"
        "    assert (copy / 'sub' / 'c%.txt').read_text() == 'two' and await stored.exists()\n"
        "    new = File.new_remote()\n"
        "    async with new.open('wb') as sink:\n        await sink.write(b'streamed')\n"
        "    assert await new.exists() and not await File(path=new.path + 'x').exists()\n"
        "    try:\n        await File(path=new.path + 'x').download()\n"
        "    except FileNotFoundError:\n        names.append('missing')\n"
        "    return f'{first.strip()} {names}'\n"
    )
    owner.assign("f", bundle=bundle(source))
    pod = await start_pod(listener.address)
    end = await owner.end()
    assert end.WhichOneof("outcome") == "outputs", end.error
    assert decode(end.outputs.inline) == ["first ['a b.txt', 'c%.txt', 'missing']"]
    assert await pod.exit_code() == 0
    written = [content for uri, content in data.objects.items() if uri.startswith(OWN)]
    assert sorted(written) == [b"one", b"streamed", b"two"]


async def test_the_report_is_written_through_the_platform(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    source = "@env.task(report=True)\nasync def f() -> None:\n    flyte.report.log('<p>seen</p>')\n"
    owner.assign("f", bundle=bundle("import flyte.report\n" + source), spec={"report": True})
    pod = await start_pod(listener.address)
    await owner.end()
    assert await pod.exit_code() == 0
    assert [update.uri for update in owner.said("report_update")] == [f"{OWN}report.html"]
    assert b"<p>seen</p>" in data.objects[f"{OWN}report.html"]


async def test_data_waits_for_a_scheduler(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "from flyte import storage\n@env.task\nasync def f() -> bytes:\n    print('ready')\n"
        "    uri = flyte.ctx().raw_data_path.path + 'x'\n"
        "    storage.put_bytes(b'y' * 3_000_000, uri)\n    return storage.get_bytes(uri)[:3]\n"
    )
    owner.assign("f", bundle=bundle(source))
    data.object_failures = 4
    pod = await start_pod(listener.address)
    assert decode((await owner.end()).outputs.inline, bytes) == [b"yyy"]
    assert data.object_failures == 0
    assert await pod.exit_code() == 0


async def test_a_process_that_the_task_forks_can_read_too(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    data.objects[f"{DATA_PREFIX}demo/development/x"] = b"shared"
    source = (
        "import multiprocessing\nfrom flyte import storage\n"
        f"def read(n):\n    return storage.get_bytes('{DATA_PREFIX}demo/development/x')\n"
        "@env.task\ndef f() -> int:\n"
        "    with multiprocessing.get_context('fork').Pool(3) as pool:\n"
        "        return len(b''.join(pool.map(read, range(6))))\n"
    )
    owner.assign("f", bundle=bundle(source), is_async=False)
    pod = await start_pod(listener.address)
    end = await owner.end()
    assert decode(end.outputs.inline) == [36]
    assert await pod.exit_code() == 0


async def test_secrets_as_files_are_private_to_the_task(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "@env.task\nasync def f() -> str:\n    path = os.environ['FLYTE_SECRETS_DIR'] + '/team/key'\n"
        '    return f\'{open(path).read() == "hun" + "ter2222"} {os.stat(path).st_mode & 0o77}\'\n'
    )
    files = {"/etc/flyte/secrets/team/key": b"hunter2222"}
    owner.assign("f", bundle=bundle(source), secret_files=files)
    pod = await start_pod(listener.address)
    assert decode((await owner.end()).outputs.inline) == ["True 0"]
    assert await pod.exit_code() == 0
