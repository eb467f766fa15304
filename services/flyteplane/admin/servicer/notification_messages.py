"""Notifications of runs as messages."""

from collections.abc import Iterator, Sequence

from flyte.spec.notifications import Delivery, NamedDelivery, shown_target
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyteapi.common.v1 import notification_pb2 as pb
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.application.notification_messages import delivery_of
from flyteplane.admin.domain.notification import NotificationRecord
from flyteplane.admin.domain.run import RunRecord
from flyteplane.admin.servicer.run_messages import phase_message


def notification_states(run: RunRecord, records: Sequence[NotificationRecord]) -> Iterator[pb.NotificationState]:
    """How far the notifications of a run are, as callers see them."""
    asked = RunSettings.FromString(run.settings).notifications if records else ()
    for record in records:
        own = asked[record.position] if record.position < len(asked) else None
        yield pb.NotificationState(
            target=_target(NamedDelivery(record.plan.named) if record.plan.named else _delivery(own)),
            on_phases=[phase_message(phase) for phase in sorted(record.plan.phases)],
            state=pb.NotificationState.State.ValueType(record.state),
            attempts=record.attempts,
            last_error=record.last_error,
        )


def _delivery(message: pb.Notification | None) -> Delivery | None:
    try:
        return None if message is None else delivery_of(message)
    except (InvalidSetting, InvalidSettingType):
        # An older build took it, and this one will not send it.
        return None


def _target(delivery: Delivery | None) -> str:
    return "" if delivery is None else shown_target(delivery)
