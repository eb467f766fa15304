"""What a trigger has to be so that it can fire; and the run that it starts."""

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.message import DecodeError

from flyte.spec.limits import MAX_DURATION_S
from flyte.spec.names import NameKind, check_name
from flyte.spec.problems import InvalidSetting
from flyte.spec.trigger_rules import check_automation
from flyte.spec.triggers import Cron
from flyteapi.admin.v1.trigger_service_pb2 import CatchUp as CatchUpMessage
from flyteapi.admin.v1.trigger_service_pb2 import Trigger
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import DateTime, NamedValues, Payload, Value
from flyteplane.admin.application.admission import AskedRun, TaskVersionName
from flyteplane.admin.application.setting_rules import microseconds_of
from flyteplane.admin.domain.schedule import CronSchedule, FixedRateSchedule, Schedule, ScheduleError
from flyteplane.admin.domain.trigger import DEFAULT_CATCH_UP, MOST_CATCH_UP, CatchUp, TriggerKey
from flyteplane.foundation.errors import InvalidArgument

_SHORTEST_S: Final = 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DESCRIPTION: Final = 4096


def key_of(trigger: Trigger) -> TriggerKey:
    """The name of a trigger."""
    named = trigger.id
    return TriggerKey(named.project, named.domain, named.task_name, named.name)


def check_trigger(trigger: Trigger) -> None:
    """Refuse a trigger that could not be kept, whatever its task. Raises InvalidArgument."""
    try:
        check_name(trigger.id.name, kind=NameKind.TRIGGER, field="id.name")
        check_name(trigger.id.task_name, kind=NameKind.TASK, field="id.task_name")
    except (InvalidSetting, TypeError) as error:
        raise _refusal(str(error), "id") from error
    schedule_of(trigger, anchor_us=0)
    if trigger.catch_up not in CatchUpMessage.values():
        raise _refusal(f"catch_up is {trigger.catch_up}, which means nothing here", "catch_up")
    _check_place_for_time(trigger)
    if trigger.max_catch_up > MOST_CATCH_UP:
        raise InvalidArgument(
            f"max_catch_up is {trigger.max_catch_up}",
            reason="INVALID_TRIGGER",
            field="max_catch_up",
            limit=str(MOST_CATCH_UP),
            mend="Give a smaller number.",
        )
    if len(trigger.description) > _MOST_DESCRIPTION:
        raise _refusal(f"the description has more than {_MOST_DESCRIPTION} characters", "description")


def _check_place_for_time(trigger: Trigger) -> None:
    """The planned time joins the other inputs, so these have to be at hand."""
    if trigger.time_input and trigger.inputs.HasField("reference"):
        raise _refusal("inputs are given by reference, to which no time can be added", "inputs")
    try:
        NamedValues.FromString(trigger.inputs.inline)
    except DecodeError:
        raise _refusal("the inputs cannot be read: they are no NamedValues", "inputs") from None


def check_time_input(trigger: Trigger, spec: TaskSpec) -> None:
    """Refuse a trigger whose task has no such input for the planned time. Raises InvalidArgument."""
    wanted = trigger.time_input
    kinds = {parameter.name: parameter for parameter in spec.interface.inputs}
    if wanted and wanted not in kinds:
        raise _refusal(
            f"the task {spec.name} has no input {wanted!r} for the time; its inputs are {', '.join(kinds) or 'none'}",
            "time_input",
        )
    if wanted and "datetime" not in kinds[wanted].type_name:
        raise _refusal(f"the input {wanted!r} is a {kinds[wanted].type_name}, and the time is a datetime", "time_input")


def schedule_of(trigger: Trigger, *, anchor_us: int) -> Schedule | None:
    """When a trigger fires; None for one that is only fired by hand. Raises InvalidArgument."""
    kind = trigger.WhichOneof("schedule")
    if kind is None:
        return None
    return _cron(trigger) if kind == "cron" else _fixed_rate(trigger, anchor_us=anchor_us)


def catch_up_of(trigger: Trigger) -> tuple[CatchUp, int]:
    """What is done about planned times that have passed, and for how many at most."""
    asked = CatchUp(trigger.catch_up) if trigger.catch_up else CatchUp.LAST
    return asked, trigger.max_catch_up or DEFAULT_CATCH_UP


def asked_run(trigger: Trigger, *, time_us: int, request_id: str) -> AskedRun:
    """The run that a trigger starts for a planned time; asking for it again is asking for the same run."""
    named = trigger.id
    task = TaskVersionName(
        project=named.project, domain=named.domain, name=named.task_name, version=trigger.task_version
    )
    return AskedRun(
        project=named.project,
        domain=named.domain,
        task=task,
        created_by=f"trigger:{named.task_name}/{named.name}",
        request_id=request_id,
        inputs=inputs_at(trigger, time_us),
        settings=trigger.settings,
        trigger=named.name,
    )


def inputs_at(trigger: Trigger, time_us: int) -> Payload:
    """The inputs of a run for a planned time."""
    if not trigger.time_input:
        return trigger.inputs
    values = NamedValues.FromString(trigger.inputs.inline)
    moment = _EPOCH + timedelta(microseconds=time_us)
    values.values.add(name=trigger.time_input, value=Value(datetime=DateTime(iso=moment.isoformat(), type="datetime")))
    return Payload(inline=values.SerializeToString(deterministic=True))


def _cron(trigger: Trigger) -> CronSchedule:
    cron = Cron(trigger.cron.expression, timezone=trigger.cron.timezone or "UTC")
    try:
        check_automation(cron, field="cron")
        return CronSchedule(cron.expression, cron.timezone)
    except (InvalidSetting, ScheduleError) as error:
        raise _refusal(str(error), "cron") from error


def _fixed_rate(trigger: Trigger, *, anchor_us: int) -> FixedRateSchedule:
    rate = trigger.fixed_rate
    seconds = rate.interval.seconds + rate.interval.nanos / 1e9
    if not _SHORTEST_S <= seconds <= MAX_DURATION_S:
        raise InvalidArgument(
            f"the interval is {seconds:g} s",
            reason="INVALID_TRIGGER",
            field="fixed_rate.interval",
            limit=f"{_SHORTEST_S} to {MAX_DURATION_S} s",
            mend="Give an interval of at least a minute.",
        )
    start = (
        microseconds_of(rate.start_time, field="fixed_rate.start_time") if rate.HasField("start_time") else anchor_us
    )
    return FixedRateSchedule(rate.interval.ToMicroseconds(), start)


def _refusal(message: str, field: str) -> InvalidArgument:
    return InvalidArgument(message, reason="INVALID_TRIGGER", field=field, mend="Change the trigger and put it again.")
