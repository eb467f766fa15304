"""A module as users write them, for the rehearsal of a template."""

from __future__ import annotations

import flyte

env = flyte.TaskEnvironment("rehearsal")


@env.task
async def greet(name: str, times: int = 1) -> list[str]:
    """Returns greetings."""
    return [f"hello {name}"] * times


@env.task
def fail(reason: str) -> None:
    """Raises."""
    raise ValueError(reason)
