"""A task with triggers."""

from datetime import datetime

import flyte

env = flyte.TaskEnvironment("scheduled", resources=flyte.Resources(cpu="200m"))


@env.task(
    triggers=(
        flyte.Trigger("nightly", flyte.Cron("0 3 * * *", timezone="Europe/Berlin"), inputs={"when": flyte.TriggerTime}),
        flyte.Trigger("by-hand", inputs={"when": flyte.TriggerTime, "factor": 3}, labels={"kind": "hand"}),
    )
)
async def report(when: datetime, factor: int = 1) -> str:
    """Says for when it was started."""
    return f"{when.tzinfo} {when.year >= 2026} {factor}"
