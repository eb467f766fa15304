"""An attempt in a pod: what its task sees, in which order its words arrive, and how its end is told."""

from __future__ import annotations

from collections.abc import Callable

from tests.runner.owner import decode, encode, succeeded
from tests.runner.pod.conftest import StartPod
from tests.support.worker_owner import Listener, StoredData, WorkerOwner

from flyteapi.common.v1.error_pb2 import ERROR_KIND_REFUSED
from flyteapi.task.v1.task_spec_pb2 import ImageSpec

Bundle = Callable[[str], str]


async def test_a_task_runs_with_the_bundle_it_was_fetched_with(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign(
        "double",
        encode(x=21),
        bundle=bundle("@env.task\nasync def double(x: int) -> int:\n    print('hello')\n    return 2 * x\n"),
    )
    pod = await start_pod(listener.address)
    end = await owner.end()
    assert decode(end.outputs.inline) == [42]
    assert await pod.exit_code() == 0
    assert owner.hellos[0].token == "the-token"
    assert data.tokens == {"Bearer the-token"}
    assert [report.WhichOneof("report") for report in owner.reports] == ["started", "log", "ended"]
    assert owner.logged() == "hello\n"
    assert pod.stdout == b"hello\n"


async def test_output_of_every_kind_comes_masked_and_before_the_end(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "import subprocess, atexit\n"
        "@env.task\nasync def show() -> None:\n"
        "    print('printed', os.environ['KEY'])\n"
        "    subprocess.run(['sh', '-c', 'echo ran $KEY; printf hun; sleep 0.05; printf ter22'], check=True)\n"
        "    os.write(2, b'raw\\n')\n"
        "    atexit.register(lambda: os.write(1, b'at exit hunter22\\n'))\n"
    )
    owner.assign("show", bundle=bundle(source), secret_env={"KEY": b"hunter22"})
    pod = await start_pod(listener.address)
    await owner.end()
    assert await pod.exit_code() == 0
    assert owner.reports[-1].HasField("ended")
    for text in ("printed", "ran", "raw", "at exit"):
        assert text in owner.logged()
    assert "hunter" not in owner.logged()
    assert sorted(pod.stdout) == sorted(owner.logged().encode())


async def test_much_output_is_whole_and_in_order(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = "@env.task\ndef show() -> None:\n    for n in range(200_000):\n        print(f'line {n} ' + 80 * '.')\n"
    owner.assign("show", bundle=bundle(source), is_async=False)
    pod = await start_pod(listener.address)
    await owner.end(within_s=60)
    assert await pod.exit_code() == 0
    lines = owner.logged().splitlines()
    assert [line.split()[1] for line in lines] == [str(number) for number in range(200_000)]


async def test_children_are_called_and_answered(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "@env.task\nasync def child(x: int) -> int: ...\n"
        "@env.task\nasync def parent() -> int:\n"
        "    return sum(await asyncio.gather(*(child(n) for n in range(5))))\n"
    )
    owner.children = lambda submit: succeeded(o0=1)
    owner.assign("parent", bundle=bundle(source))
    pod = await start_pod(listener.address)
    end = await owner.end()
    assert decode(end.outputs.inline) == [5]
    assert await pod.exit_code() == 0
    assert len(owner.said("declare_task")) == 1


async def test_the_task_sees_its_variables_and_not_those_of_the_agent(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "@env.task\nasync def names() -> str:\n"
        "    own = [name for name in os.environ if name.startswith('FLYTE_WORKER')]\n"
        "    return f\"{own} {os.environ['IMAGES_OWN']} {os.environ['FLYTE_ACTION_NAME']} {os.getcwd()}\"\n"
    )
    owner.assign("names", bundle=bundle(source))
    pod = await start_pod(listener.address, env={"IMAGES_OWN": "yes"})
    end = await owner.end()
    assert decode(end.outputs.inline)[0].startswith("[] yes a0 /")
    assert await pod.exit_code() == 0


async def test_a_package_that_the_image_lacks_is_named(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    image = ImageSpec(uri="registry/team/image:1", python_packages=["protobuf>=3", "no-such-package==1.2"])
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> None: ...\n"), spec={"image": image})
    pod = await start_pod(listener.address)
    error = (await owner.end()).error
    assert (error.kind, error.code, error.recoverable) == (ERROR_KIND_REFUSED, "IMAGE_LACKS_PACKAGE", False)
    assert "no-such-package==1.2" in error.message
    assert "registry/team/image:1" in error.message
    assert "protobuf" not in error.message
    assert await pod.exit_code() == 0


async def test_a_bundle_that_is_not_there_ends_the_attempt(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod
) -> None:
    owner.assign("f", bundle="e" * 64)
    pod = await start_pod(listener.address)
    error = (await owner.end()).error
    assert (error.code, error.recoverable) == ("BUNDLE_NOT_FOUND", False)
    assert await pod.exit_code() == 0


async def test_a_bundle_is_fetched_again_until_a_scheduler_has_it(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> int:\n    return 1\n"))
    data.bundle_failures = 3
    pod = await start_pod(listener.address)
    assert decode((await owner.end()).outputs.inline) == [1]
    assert await pod.exit_code() == 0


async def test_heartbeats_tell_the_memory_of_the_whole_task(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = "@env.task\nasync def f() -> None:\n    block = b'x' * (200 << 20)\n    await asyncio.sleep(1.0)\n"
    owner.assign("f", bundle=bundle(source))
    pod = await start_pod(listener.address, contact_s=3.0)
    await owner.until(lambda: owner.resident_bytes > 200 << 20)
    assert await pod.exit_code() == 0


async def test_without_its_variables_the_agent_says_which_is_missing(start_pod: StartPod) -> None:
    pod = await start_pod("127.0.0.1:1", env={"FLYTE_WORKER_TOKEN": ""})
    assert await pod.exit_code() == 64
    assert b"FLYTE_WORKER_TOKEN is empty" in pod.stderr
