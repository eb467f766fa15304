"""Tasks that look at the pod that they run in, and pass data through it."""

import asyncio
import os
import socket
import tempfile
from pathlib import Path

import flyte
from flyte.io import Dir, File

SMALL = flyte.Resources(cpu=("20m", "1"), memory=("60Mi", "250Mi"))
env = flyte.TaskEnvironment(name="surroundings", resources=SMALL, env_vars={"COLOUR": "green", "TZ": "Europe/Oslo"})


@env.task
async def look_around(names: list[str]) -> dict[str, str]:
    """Variables of the environment, and who and where the task is."""
    seen = {name: os.environ.get(name, "") for name in names}
    return {**seen, "hostname": socket.gethostname(), "user": str(os.getuid())}


@env.task(resources=flyte.Resources(cpu=("20m", "1"), memory=("60Mi", "250Mi"), shm="96Mi"))
async def shared_memory() -> int:
    """The size of /dev/shm in bytes."""
    shape = os.statvfs("/dev/shm")
    return shape.f_frsize * shape.f_blocks


WITH_SIDECAR = flyte.PodTemplate(
    pod_spec={
        "containers": [
            {"name": "primary", "env": [{"name": "FROM_TEMPLATE", "value": "yes"}]},
            {"name": "proxy", "image": "python:3.11-slim", "command": ["sleep", "3600"]},
        ],
        "terminationGracePeriodSeconds": 1,
    },
    labels={"team": "blue"},
    annotations={"example.com/note": "with a sidecar"},
)


@env.task(pod_template=WITH_SIDECAR)
async def beside_a_sidecar() -> dict[str, str]:
    """A task with another container in its pod."""
    return {name: os.environ.get(name, "") for name in ("FROM_TEMPLATE", "COLOUR")}


@env.task(pod_template="kept-by-the-operator")
async def by_name() -> str:
    """A task whose template lies in the cluster."""
    return os.environ.get("FROM_TEMPLATE", "")


@env.task(service_account="robot")
async def as_robot() -> int:
    """A task that wants another identity."""
    return 1


SECRETS = [
    flyte.Secret(key="POD_SECRET"),
    flyte.Secret(key="POD_SECRET_FILE", mount=Path("/etc/flyte/secrets")),
]


@env.task(secrets=SECRETS)
async def reads_secrets() -> list[int]:
    """The lengths of a secret in a variable and of one in a file; prints both."""
    in_file = Path("/etc/flyte/secrets/POD_SECRET_FILE").read_text()
    print(f"they are {os.environ['POD_SECRET']} and {in_file}")
    return [len(os.environ["POD_SECRET"]), len(in_file)]


@env.task
async def shout(source: File) -> File:
    """The same in capitals, as another file."""
    async with source.open("rb") as stream:
        said = bytes(await stream.read())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shouted.txt"
        path.write_bytes(said.upper())
        return await File.from_local(str(path))


@env.task
async def write_folder(count: int) -> Dir:
    """A folder of files."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            (Path(folder) / f"{number}.txt").write_text(str(number))
        return await Dir.from_local(folder)


@env.task
async def read_folder(folder: Dir) -> int:
    """The sum of what stands in a folder's files."""
    local = Path(await folder.download())
    return sum(int(path.read_text()) for path in local.glob("*.txt"))


@env.task
async def double(text: str) -> str:
    """A value that is too large to travel inline."""
    return text + text


@env.task
async def data(source: File, letters: int) -> tuple[File, int, int]:
    """A file, a folder and a large value through other pods."""
    shouted, folder, doubled = await asyncio.gather(shout(source), write_folder(4), double("x" * letters))
    return shouted, await read_folder(folder), len(doubled)


@env.task
async def where_am_i() -> str:
    """The name of the machine, which in a pod is the pod's."""
    return socket.gethostname()


@env.task
async def on_both(pods: str, processes: str) -> list[str]:
    """Children on two clusters."""
    queues = (pods, processes, pods, processes)
    return list(await asyncio.gather(*(where_am_i.override(queue=queue)() for queue in queues)))
