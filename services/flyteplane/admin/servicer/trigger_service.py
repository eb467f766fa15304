"""TriggerService: this build keeps no triggers, and says so instead of accepting what would never fire."""

from typing import NoReturn

from flyteapi.admin.v1 import trigger_service_pb2 as pb
from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceServicer
from flyteplane.admin.servicer.context import Context
from flyteplane.foundation.errors import Unimplemented


class TriggerServicer(TriggerServiceServicer):
    """See `trigger_service.proto`. Every rpc is refused."""

    async def PutTrigger(self, request: pb.PutTriggerRequest, context: Context) -> pb.PutTriggerResponse:
        _refuse()

    async def GetTrigger(self, request: pb.GetTriggerRequest, context: Context) -> pb.GetTriggerResponse:
        _refuse()

    async def ListTriggers(self, request: pb.ListTriggersRequest, context: Context) -> pb.ListTriggersResponse:
        _refuse()

    async def SetTriggerActive(
        self, request: pb.SetTriggerActiveRequest, context: Context
    ) -> pb.SetTriggerActiveResponse:
        _refuse()

    async def DeleteTrigger(self, request: pb.DeleteTriggerRequest, context: Context) -> pb.DeleteTriggerResponse:
        _refuse()


def _refuse() -> NoReturn:
    raise Unimplemented(
        "this build does not fire triggers",
        reason="TRIGGERS_NOT_IN_THIS_BUILD",
        mend="Submit the runs yourself, for example `flyte run` from cron.",
    )
