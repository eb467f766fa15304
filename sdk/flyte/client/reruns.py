"""Asks the platform to run an earlier run again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyte.client.call_ids import new_request_id
from flyte.client.deployed_inputs import encode_for_interface
from flyte.client.run_settings import RunContext
from flyte.client.submit import run_in_doubt, run_settings
from flyte.spec.digests import inputs_digest
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.value_pb2 import NamedValues

if TYPE_CHECKING:
    from flyte.client.channel import Connection
    from flyte.remote.run import Run


async def request_rerun(
    platform: Connection,
    run_name: str,
    *,
    action_name: str,
    recover: bool,
    force_actions: Sequence[str],
    inputs: Mapping[str, Any],
    context: RunContext,
) -> Run:
    """Return the new run. Inputs that are not given stay as they were."""
    from flyte.remote.payloads import store_payload
    from flyte.remote.run import Run

    settings = platform.settings
    source = RunId(project=context.project or settings.project, domain=context.domain or settings.domain, name=run_name)
    request = api.RerunRunRequest(
        request_id=new_request_id(),
        source=source,
        name=context.name or "",
        action=action_name,
        recover=recover,
        force_actions=force_actions,
    )
    changed = run_settings(context)
    if changed != run_settings(RunContext()):
        request.settings.CopyFrom(await _merged(platform, source, changed))
    if inputs:
        values, ignored = await _changed_inputs(platform, ActionId(run=source, name=action_name or "a0"), inputs)
        content = values.SerializeToString()
        request.inputs_digest = inputs_digest(values, ignored)
        request.inputs.CopyFrom(await store_payload(platform, content, project=source.project, domain=source.domain))
    doubt = run_in_doubt(request.name, request.request_id)
    return Run((await platform.change(platform.runs.RerunRun, request, in_doubt=doubt)).run)


async def _merged(platform: Connection, source: RunId, changed: RunSettings) -> RunSettings:
    """Return the source's settings with what is given now laid over them."""
    answer = await platform.read(platform.runs.GetRun, api.GetRunRequest(run=source))
    settings = RunSettings()
    settings.CopyFrom(answer.run.settings)
    # The trace of the source is the source's own.
    settings.ClearField("trace_parent")
    if changed.notifications or changed.notification_rule:
        settings.ClearField("notifications")
        settings.ClearField("notification_rule")
    settings.MergeFrom(changed)
    return settings


async def _changed_inputs(
    platform: Connection, action: ActionId, inputs: Mapping[str, Any]
) -> tuple[NamedValues, Sequence[str]]:
    from flyte.remote.payloads import fetch_payload

    found = await platform.read(platform.runs.GetAction, api.GetActionRequest(action=action))
    data = await platform.read(platform.runs.GetActionData, api.GetActionDataRequest(action=action))
    before = NamedValues.FromString(await fetch_payload(platform, data.inputs))
    kept = {named.name for named in before.values} - inputs.keys()
    interface = type(found.task.interface)()
    interface.CopyFrom(found.task.interface)
    for parameter in interface.inputs:
        if parameter.name in kept:
            parameter.required = False
            parameter.default_value = next(
                named.value.SerializeToString() for named in before.values if named.name == parameter.name
            )
    values = await asyncio.to_thread(encode_for_interface, interface, (), inputs, task_name=found.task.name)
    return values, found.task.cache.ignored_inputs
