"""Tasks that tell by digests what they were given, so that no output is a secret."""

import hashlib
import os
from pathlib import Path

import flyte

FOLDER = Path("/etc/flyte/secrets")
as_text = flyte.TaskEnvironment("secret-as-text", secrets="DELIVERED")
as_object = flyte.TaskEnvironment(
    "secret-as-object", secrets=flyte.Secret("password", group="delivered", as_env_var="OTHER_NAME")
)
as_list = flyte.TaskEnvironment(
    "secret-as-list", secrets=["DELIVERED", flyte.Secret("password", group="delivered", mount=FOLDER)]
)
warm = flyte.TaskEnvironment(
    "secret-warm", secrets="DELIVERED", reusable=flyte.ReusePolicy(replicas=(1, 2), idle_ttl=60)
)
bare = flyte.TaskEnvironment("secret-bare")


def digest(value: str | bytes) -> str:
    """What a test compares."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()


def seen() -> dict[str, str]:
    """Digests of all secrets that are there, by variable and by file."""
    names = ("DELIVERED", "OTHER_NAME", "DELIVERED_PASSWORD", "BOTH")
    found = {name: digest(os.environ[name]) for name in names if name in os.environ}
    folder = Path(os.environ.get("FLYTE_SECRETS_DIR", "/nowhere"))
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    return found | {str(path.relative_to(folder)): digest(path.read_bytes()) for path in files}


@as_text.task(retries=3)
async def text_of_environment() -> dict[str, str]:
    """A key, at the environment."""
    return seen()


@as_object.task
async def object_of_environment() -> dict[str, str]:
    """An object, at the environment."""
    return seen()


@as_list.task
async def list_of_environment() -> dict[str, str]:
    """A list, at the environment."""
    return seen()


@as_text.task(secrets=flyte.Secret("password", group="delivered"))
async def object_of_decorator() -> dict[str, str]:
    """An object at the decorator, in place of what the environment has."""
    return seen()


@as_text.task(secrets=[])
async def nothing_of_decorator() -> dict[str, str]:
    """An empty list at the decorator."""
    return seen()


@bare.task
async def of_override() -> dict[str, str]:
    """Whatever the override says."""
    return seen()


@bare.task(secrets=flyte.Secret("password", group="delivered", mount=FOLDER, as_env_var="BOTH"))
async def file_and_variable() -> dict[str, str]:
    """Both ways at once."""
    return seen()


@warm.task(retries=3)
async def on_a_replica() -> dict[str, str]:
    """On a warm replica."""
    return {**seen(), "pid": str(os.getpid())}


@bare.task(secrets=flyte.Secret("ZERO"))
async def with_a_zero_byte() -> int:
    """A value that no variable can hold."""
    return 1


@bare.task(secrets=flyte.Secret("LARGE", mount=FOLDER))
async def large() -> dict[str, str]:
    """A value of a mebibyte."""
    return seen()


depending = flyte.TaskEnvironment("secret-parent", depends_on=[bare, warm, as_text])


@depending.task
async def overrides() -> list[dict[str, str]]:
    """Secrets of overrides, as key, object, list, and none."""
    password = flyte.Secret("password", group="delivered", as_env_var="OTHER_NAME")
    return [
        await of_override.override(secrets="DELIVERED")(),
        await of_override.override(secrets=password)(),
        await of_override.override(secrets=["DELIVERED", password])(),
        await text_of_environment.override(secrets=[])(),
        await on_a_replica.override(reusable="off", secrets=password)(),
    ]


@as_text.task(retries=0)
async def one_of_many(number: int) -> str:
    """What it was given, without a second try."""
    return seen()["DELIVERED"]


@depending.task
async def many(count: int) -> list[str]:
    """Children one after another, so that some of them ask at any moment."""
    return [await one_of_many(number) for number in range(count)]


def surroundings_of_the_process() -> str:
    """All that this process was started with, and has now."""
    return repr(dict(os.environ)) + Path("/proc/self/environ").read_bytes().decode(errors="replace")


@bare.task
async def environment_of_a_worker() -> bool:
    """Whether the key of the platform is anywhere in a fresh worker."""
    return "FLYTEPLANE_SECRETS" in surroundings_of_the_process()


@warm.task
async def environment_of_a_replica() -> bool:
    """The same of a replica."""
    return "FLYTEPLANE_SECRETS" in surroundings_of_the_process()
