"""What tasks know of themselves."""

import asyncio
import os

import flyte

env = flyte.TaskEnvironment("places", resources=flyte.Resources(cpu="200m"), env_vars={"LEVEL": "environment"})
cached = flyte.TaskEnvironment("places_cached", resources=flyte.Resources(cpu="200m"), cache="auto")


@env.task
async def about() -> dict[str, str]:
    """What flyte.ctx() and the environment say."""
    context = flyte.ctx()
    return {
        "run": context.action.run_name or "",
        "action": context.action.name,
        "same": str(context.task_action == context.action),
        "group": context.group_data.name if context.group_data else "",
        "attempt": str(context.attempt_number),
        "team": context.custom_context.get("team", ""),
        "floor": flyte.get_custom_context().get("floor", ""),
        "LEVEL": os.environ.get("LEVEL", ""),
        "RUN": os.environ.get("RUN", ""),
        "FLYTE_RUN_NAME": os.environ.get("FLYTE_RUN_NAME", ""),
        "FLYTE_PROJECT": os.environ.get("FLYTE_PROJECT", ""),
        "truth": str(bool(context)),
    }


pictured = flyte.TaskEnvironment(
    "places_pictured",
    resources=flyte.Resources(cpu="200m"),
    image=flyte.Image.from_debian_base().with_env_vars({"OF_IMAGE": "image", "RUN": "image", "LEVEL": "image"}),
    env_vars={"LEVEL": "environment"},
)


@pictured.task
async def who_gave_them() -> dict[str, str]:
    """Variables that are given at one, two and three levels."""
    return {name: os.environ[name] for name in ("OF_IMAGE", "RUN", "LEVEL")}


@env.task
async def parent() -> list[dict[str, str]]:
    """Itself, and children under groups and contexts."""
    with flyte.custom_context(team="blue"):
        inside = await about()
        with flyte.group("first"), flyte.custom_context(floor="3"):
            grouped = await asyncio.gather(about(), about())
    return [await about.forward(), inside, *grouped, await about.override(env_vars={"LEVEL": "override"})()]


@cached.task
async def costly(x: int, note: str = "") -> float:
    """Cached; random, so that a second computation shows."""
    return x + float.fromhex(os.urandom(4).hex())


@cached.task(cache=flyte.Cache("auto", ignored_inputs="note"))
async def costly_ignoring(x: int, note: str = "") -> float:
    """Cached, whatever the note."""
    return x + float.fromhex(os.urandom(4).hex())


@cached.task(cache=flyte.Cache("auto", serialize=True))
async def costly_alone(x: int) -> float:
    """Cached; of equal calls at once one computes."""
    await asyncio.sleep(0.05)
    return x + float.fromhex(os.urandom(4).hex())


@env.task
async def cache_at_work(seed: int) -> list[bool]:
    """Whether equal calls gave equal results, and different ones others."""
    first, again, other = await costly(seed), await costly(seed), await costly(seed, "n")
    ignoring, ignored = await costly_ignoring(seed, "a"), await costly_ignoring(seed, "b")
    alone = await asyncio.gather(*(costly_alone(seed) for _ in range(4)))
    return [first == again, first != other, ignoring == ignored, len(set(alone)) == 1]


@env.task(secrets=["SEMANTICS_KEY", flyte.Secret("semantics-token", group="team", as_env_var="TOKEN")])
def reads_secrets() -> list[str]:
    """Values that nobody else has."""
    return [os.environ["SEMANTICS_KEY"][::-1], os.environ["TOKEN"][::-1]]


@env.task(secrets=flyte.Secret("SEMANTICS_KEY", mount="/etc/flyte/secrets"))
def reads_secret_file() -> list[str]:
    """A secret as a file, and whether it is a variable as well."""
    with open(os.path.join(os.environ.get("FLYTE_SECRETS_DIR", "/etc/flyte/secrets"), "SEMANTICS_KEY")) as file:
        return [file.read()[::-1], str("SEMANTICS_KEY" in os.environ)]


@env.task(secrets="SEMANTICS_NOWHERE")
def needs_a_secret() -> int:
    """Never runs."""
    return 1


@env.task
async def secret_that_is_not_there() -> str:
    """What a parent sees."""
    try:
        return str(await needs_a_secret.aio())
    except flyte.errors.BaseRuntimeError as error:
        return f"{error.code} {'SEMANTICS_NOWHERE' in str(error)}"
