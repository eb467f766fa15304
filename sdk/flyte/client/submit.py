"""Brings a run to the platform: code first, then inputs, then the run itself, which is durable when this returns.

Every submission carries a request id: the call is repeated after a broken connection, and makes one run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyte.authoring.context import get_custom_context
from flyte.client.call_ids import new_request_id
from flyte.client.entrypoint import script_of
from flyte.client.packaging import PackagedTasks, package
from flyte.client.run_settings import RunContext
from flyte.client.upload import forget_uploads, upload_bundle
from flyte.errors import RuntimeUserError
from flyte.spec.names import VERSION_ANNOTATION
from flyte.spec.problems import InvalidSetting
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.value_pb2 import Payload

if TYPE_CHECKING:
    from flyte.authoring.task import TaskTemplate
    from flyte.client.channel import Connection
    from flyte.remote.run import Run
    from flyte.remote.task import TaskDetails
    from flyte.remote.trigger import TriggerDetails


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would have been submitted."""

    request: api.CreateRunRequest
    packaged: PackagedTasks
    name: str = "dry-run"
    url: str = ""


def run_in_doubt(name: str, request_id: str) -> str:
    """Return what a person has to know whose submission was not answered."""
    if name:
        return (
            f"Run {name} may have been taken, and goes on then: once the platform is back, `flyte get run {name}` "
            f"tells, and the same submission under this name makes no second run."
        )
    return (
        f"The run may have been taken, and goes on then (request id {request_id}): once the platform is back, look "
        f"whether `flyte get run --only-mine` lists it before you submit it again."
    )


async def submit(
    platform: Connection,
    task: TaskTemplate[Any, Any, Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    context: RunContext,
) -> Run | DryRun:
    """Submit a run of a task and return it, accepted and durable."""
    from flyte.remote.run import Run, TaskTypes
    from flyte.types.interface import check_inline_size, interface_codec
    from flyte.types.pickles import classes_of_script

    run = _run_id(platform, context)
    codec = interface_codec(task.interface)
    # In a thread: a local file among the inputs is uploaded while it is encoded, which blocks.
    interactive = bool(context.interactive_mode)
    with classes_of_script(script_of(task, root_dir=platform.settings.root_dir, interactive=interactive)):
        inputs = await asyncio.to_thread(codec.encode_inputs, args, kwargs)
    check_inline_size(inputs, task.max_inline_io_bytes, "inputs")
    packaged = package(
        [task],
        copy_style=context.copy_style,
        root_dir=platform.settings.root_dir,
        interactive=interactive,
    )
    _write_copy(packaged, context)
    request = api.CreateRunRequest(
        request_id=new_request_id(),
        run=run,
        spec=packaged.specs[0],
        inputs_digest=codec.inputs_digest(inputs, ignored=packaged.specs[0].cache.ignored_inputs),
        settings=run_settings(context),
    )
    if context.dry_run:
        return DryRun(request, packaged)
    await _upload(platform, packaged, run)
    request.inputs.CopyFrom(await _payload(platform, inputs, run))
    try:
        answer = await _create(platform, request)
    except RuntimeUserError as error:
        if error.code != "NotFound" or packaged.bundle is None:
            raise
        # The store may have lost what this process once brought there; bring it again, once.
        forget_uploads()
        await _upload(platform, packaged, run)
        answer = await _create(platform, request)
    interface = task.interface
    return Run(answer.run, types=TaskTypes(interface.get_input_types(), interface.outputs))


async def submit_deployed(
    platform: Connection, task: TaskDetails, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, context: RunContext
) -> Run:
    """Submit a run of a deployed task."""
    from flyte.client.deployed_inputs import encode_for_interface
    from flyte.remote.run import Run
    from flyte.spec.digests import inputs_digest

    run = _run_id(platform, context)
    values = await asyncio.to_thread(encode_for_interface, task.spec.interface, args, kwargs, task_name=task.name)
    message = task.message
    version = api.TaskVersionId(
        project=message.project, domain=message.domain, name=message.name, version=message.version
    )
    request = api.CreateRunRequest(
        request_id=new_request_id(),
        run=run,
        **({"spec": task.spec} if task.overridden else {"deployed": version}),
        inputs=await _payload(platform, values.SerializeToString(), run),
        inputs_digest=inputs_digest(values, task.spec.cache.ignored_inputs),
        settings=run_settings(context),
    )
    return Run((await _create(platform, request)).run)


async def fire(platform: Connection, trigger: TriggerDetails) -> Run:
    """Start the run of a trigger now, with its own inputs and settings."""
    from flyte.remote.run import Run
    from flyteapi.admin.v1.trigger_service_pb2 import FireTriggerRequest

    request = FireTriggerRequest(id=trigger.id, request_id=new_request_id())
    doubt = run_in_doubt("", request.request_id)
    return Run((await platform.change(platform.triggers.FireTrigger, request, in_doubt=doubt)).run)


def run_settings(context: RunContext) -> RunSettings:
    """Return the settings of a run as the platform takes them."""
    _refuse_local_only(context)
    annotations = dict(context.annotations)
    if context.version:
        annotations[VERSION_ANNOTATION] = context.version
    settings = RunSettings(
        env=context.env_vars,
        labels=context.labels,
        annotations=annotations,
        overwrite_cache=context.overwrite_cache,
        disable_cache=context.disable_run_cache,
        cache_lookup_scope=context.cache_lookup_scope,
        queue=context.queue or "",
        max_action_concurrency=context.max_action_concurrency or 0,
        custom_context={**get_custom_context(), **context.custom_context},
        service_account=context.service_account or "",
        interruptible=context.interruptible,
        data_prefix=context.raw_data_path or "",
    )
    if context.notifications is not None:
        from flyte.client.notifications import set_notifications

        set_notifications(settings, context.notifications)
    return settings


def _refuse_local_only(context: RunContext) -> None:
    for parameter in ("run_base_dir", "run_start_time"):
        if getattr(context, parameter) is not None:
            raise InvalidSetting(f"{parameter} holds for mode='local' only; leave it out", field=parameter)


def _run_id(platform: Connection, context: RunContext) -> RunId:
    settings = platform.settings
    return RunId(
        project=context.project or settings.project,
        domain=context.domain or settings.domain,
        name=context.name or "",
    )


async def _create(platform: Connection, request: api.CreateRunRequest) -> api.CreateRunResponse:
    doubt = run_in_doubt(request.run.name, request.request_id)
    return await platform.change(platform.runs.CreateRun, request, in_doubt=doubt)


async def _payload(platform: Connection, content: bytes, run: RunId) -> Payload:
    from flyte.remote.payloads import store_payload

    return await store_payload(platform, content, project=run.project, domain=run.domain)


async def _upload(platform: Connection, packaged: PackagedTasks, run: RunId) -> None:
    if packaged.bundle is not None:
        await upload_bundle(platform, packaged.bundle.archive, project=run.project, domain=run.domain)


def _write_copy(packaged: PackagedTasks, context: RunContext) -> None:
    if context.copy_bundle_to is not None and packaged.bundle is not None:
        context.copy_bundle_to.mkdir(parents=True, exist_ok=True)
        (context.copy_bundle_to / f"{packaged.bundle.digest}.tar.gz").write_bytes(packaged.bundle.archive)
