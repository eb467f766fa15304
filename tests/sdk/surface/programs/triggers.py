"""Schedules of every kind on tasks, and webhooks about their ends."""

from datetime import datetime, timezone

import flyte
import flyte.notify
from flyte.models import ActionPhase

env = flyte.TaskEnvironment(name="triggers")

custom = flyte.Trigger(
    "custom-cron",
    flyte.Cron("0 6 * * *", timezone="Europe/Berlin"),
    description="Every morning",
    inputs={"start_time": flyte.TriggerTime, "x": 1},
    env_vars={"A": "1"},
    interruptible=False,
    overwrite_cache=True,
    queue="default",
    labels={"a": "b"},
    annotations={"c": "d"},
    auto_activate=False,
)
fixed = flyte.Trigger("fixed", flyte.FixedRate(60, start_time=datetime(2024, 1, 1, tzinfo=timezone.utc)))


@env.task(triggers=(custom, fixed, flyte.Trigger.hourly(), flyte.Trigger.daily("start_time", name="every-day")))
async def example(start_time: datetime = datetime(2024, 1, 1, tzinfo=timezone.utc), x: int = 1) -> str:
    return f"{start_time.isoformat()} {x}"


@env.task(triggers=flyte.Trigger.minutely("at", auto_activate=False))
def every_minute(at: datetime) -> None: ...


if __name__ == "__main__":
    flyte.init_from_config()
    assert [t.name for t in example.triggers] == ["custom-cron", "fixed", "hourly", "every-day"]
    assert flyte.Trigger.weekly().automation.expression == "0 0 * * 0"
    assert flyte.Trigger.monthly(name="m").name == "m"
    mail = flyte.notify.Email(on_phase=ActionPhase.FAILED, recipients=("a@example.org",))
    slack = flyte.notify.Slack(on_phase=(ActionPhase.FAILED,), webhook_url="https://example.org/x", message="m")
    assert mail.recipients and slack.message == "m"
    assert flyte.run(example, x=2).outputs()[0] == "2024-01-01T00:00:00+00:00 2"
