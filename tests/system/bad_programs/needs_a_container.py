"""The image has a step that no process can be given."""

import flyte

env = flyte.TaskEnvironment(
    name="boxed", image=flyte.Image.from_debian_base(name="boxed", registry="r").with_commands(["make install"])
)


@env.task
async def main(n: int) -> int:
    """Wants what the command made."""
    return n
