"""TriggerService: schedules of deployed tasks."""

from flyteapi.admin.v1 import trigger_service_pb2 as pb
from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceServicer
from flyteplane.admin.application.notification_messages import without_secrets
from flyteplane.admin.application.triggers import Triggers
from flyteplane.admin.domain.trigger import StoredTrigger, TriggerKey
from flyteplane.admin.servicer.context import CallerOf, Context
from flyteplane.admin.servicer.run_messages import run_message, timestamp


class TriggerServicer(TriggerServiceServicer):
    """See `trigger_service.proto`."""

    def __init__(self, triggers: Triggers, *, caller_of: CallerOf) -> None:
        self._triggers = triggers
        self._caller_of = caller_of

    async def PutTrigger(self, request: pb.PutTriggerRequest, context: Context) -> pb.PutTriggerResponse:
        stored = await self._triggers.put(request.trigger, by=self._caller_of(context), request_id=request.request_id)
        return pb.PutTriggerResponse(trigger=_message(stored))

    async def GetTrigger(self, request: pb.GetTriggerRequest, context: Context) -> pb.GetTriggerResponse:
        return pb.GetTriggerResponse(trigger=_message(await self._triggers.get(_key(request.id))))

    async def ListTriggers(self, request: pb.ListTriggersRequest, context: Context) -> pb.ListTriggersResponse:
        page = await self._triggers.list(
            project=request.project,
            domain=request.domain,
            task_name=request.task_name,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListTriggersResponse(triggers=map(_message, page.entries), next_page_token=page.next_token)

    async def SetTriggerActive(
        self, request: pb.SetTriggerActiveRequest, context: Context
    ) -> pb.SetTriggerActiveResponse:
        stored = await self._triggers.set_active(
            _key(request.id), request.active, by=self._caller_of(context), request_id=request.request_id
        )
        return pb.SetTriggerActiveResponse(trigger=_message(stored))

    async def DeleteTrigger(self, request: pb.DeleteTriggerRequest, context: Context) -> pb.DeleteTriggerResponse:
        await self._triggers.delete(_key(request.id), by=self._caller_of(context), request_id=request.request_id)
        return pb.DeleteTriggerResponse()

    async def FireTrigger(self, request: pb.FireTriggerRequest, context: Context) -> pb.FireTriggerResponse:
        stored = await self._triggers.fire(_key(request.id), request_id=request.request_id)
        return pb.FireTriggerResponse(run=run_message(stored.record))


def _key(named: pb.TriggerId) -> TriggerKey:
    return TriggerKey(named.project, named.domain, named.task_name, named.name)


def _message(stored: StoredTrigger) -> pb.Trigger:
    state, message = stored.state, pb.Trigger.FromString(stored.content)
    without_secrets(message.settings)
    message.active = state.active
    message.last_error = state.last_error
    message.MergeFrom(
        pb.Trigger(next_fire_at=timestamp(state.wake_at_us), last_fired_at=timestamp(state.last_fired_us))
    )
    return message
