"""The launch form: a new run, the same again, or the recovery of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from starlette.datastructures import FormData, UploadFile

from flyte.spec.digests import inputs_digest
from flyteapi.admin.v1.run_service_pb2 import CreateRunRequest, RerunRunRequest, Run, TaskVersionId
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.queue_service_pb2 import ListQueuesRequest
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.value_pb2 import NamedValues
from flyteplane.console.launch.form import PREFIX
from flyteplane.console.launch.run_settings import NAME, control_of, read_settings, shown_settings
from flyteplane.console.launch.shapes import UploadKind
from flyteplane.console.launch.state import FormState
from flyteplane.console.launch_target import Target, find_target
from flyteplane.console.pages.routes import change, page
from flyteplane.console.posting import MOST_FILES, MOST_GIB
from flyteplane.console.uploads import name_of_files, store_file, store_folder, store_payload
from flyteplane.console.views.paths import run_path, task_path
from flyteplane.foundation.errors import PermissionDenied, PlatformError, Unauthenticated
from flyteplane.foundation.ids import SystemIds
from flyteplane.rpc.errors import as_platform_error

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.launch.reading import StoredFile
    from flyteplane.console.visit import Visit

_FORCE: Final = "force"
#: A control that takes a file or an address posts the file under its own name, followed by this.
_FILE: Final = ".file"
_UNPROCESSABLE: Final = 422


@dataclass(slots=True)
class _Post:
    """What was posted, and what is wrong with it."""

    state: FormState
    values: NamedValues | None = None
    """None: inputs too large for a form, which stay as they were."""
    settings: RunSettings = field(default_factory=RunSettings)
    problems: dict[str, str] = field(default_factory=dict)
    general: str = ""


async def show(visit: Visit) -> Response:
    """The form, with defaults or with what the source had."""
    target = await find_target(visit.platform, visit.query)
    form = target.form
    values = {**shown_settings(target.settings).values, **(form.first.values if form else {})}
    return await _drawn(visit, target, _Post(FormState(values)))


async def launch(visit: Visit) -> Response:
    """Start the run, or show the form again with what has to be mended."""
    target = await find_target(visit.platform, visit.query)
    posted = FormData(visit.form)
    post = await _read(visit, target, posted)
    if not post.problems:
        try:
            run = await _start(visit, target, post, request_id=str(posted.get("request_id") or ""))
            return visit.go_to(run_path(run.id))
        except (PlatformError, grpc.aio.AioRpcError) as error:
            _note(post, as_platform_error(error, method="launch"))
    return await _drawn(visit, target, post, status=_UNPROCESSABLE)


async def _read(visit: Visit, target: Target, posted: FormData) -> _Post:
    """Read what was posted; files are uploaded once everything else is right."""
    items = posted.multi_items()
    files: dict[str, list[UploadFile]] = {}
    for name, item in items:
        if isinstance(item, UploadFile) and item.filename:
            files.setdefault(name.removesuffix(_FILE), []).append(item)
    texts = [(name, item) for name, item in items if isinstance(item, str)]
    post = _Post(FormState.of(texts, files={name: name_of_files(several) for name, several in files.items()}))
    post.settings, post.problems = read_settings(post.state, base=target.settings)
    form = target.form
    if form is None:
        return post
    answer = form.read(post.state)
    post.problems.update(answer.problems)
    stored: dict[str, StoredFile] = {}
    for name, kind in form.uploads(post.state) if not post.problems else ():
        try:
            stored[name] = await _stored(visit, target, files[name], kind)
        except (PlatformError, grpc.aio.AioRpcError) as error:
            post.problems[name] = _at_control(as_platform_error(error, method="upload"))
    post.values = form.read(post.state, stored=stored).values if stored else answer.values
    return post


async def _stored(visit: Visit, target: Target, files: Sequence[UploadFile], kind: UploadKind) -> StoredFile:
    where = {"project": target.project, "domain": target.domain}
    if kind is UploadKind.DIR:
        return await store_folder(visit.platform, files, **where)
    return await store_file(visit.platform, files[0], **where)


async def _start(visit: Visit, target: Target, post: _Post, *, request_id: str) -> Run:
    name = post.state.text(NAME).strip()
    if target.source is None:
        return await _new(visit, target, post, name=name, request_id=request_id)
    request = RerunRunRequest(
        request_id=request_id,
        source=target.source,
        name=name,
        recover=target.recover,
        force_actions=post.state.values.get(_FORCE, ()) if target.recover else (),
        settings=post.settings,
    )
    if post.values is not None and post.values != target.given:
        request.inputs.CopyFrom(await _payload(visit, target, post.values))
        request.inputs_digest = inputs_digest(post.values, target.task.cache.ignored_inputs)
    return (await visit.platform.runs.RerunRun(request)).run


async def _new(visit: Visit, target: Target, post: _Post, *, name: str, request_id: str) -> Run:
    values = post.values or NamedValues()
    request = CreateRunRequest(
        request_id=request_id,
        run=RunId(project=target.project, domain=target.domain, name=name),
        deployed=TaskVersionId(
            project=target.project, domain=target.domain, name=target.task.name, version=target.version
        ),
        inputs=await _payload(visit, target, values),
        inputs_digest=inputs_digest(values, target.task.cache.ignored_inputs),
        settings=post.settings,
    )
    return (await visit.platform.runs.CreateRun(request)).run


async def _payload(visit: Visit, target: Target, values: NamedValues) -> Any:
    content = values.SerializeToString(deterministic=True)
    return await store_payload(visit.platform, content, project=target.project, domain=target.domain)


def _note(post: _Post, error: PlatformError) -> None:
    """Put a refusal of the platform where it belongs in the form. Others are pages of their own, and raised."""
    text = _at_control(error)
    control = control_of(error.field)
    if error.field.startswith(f"{PREFIX}."):
        control = error.field
    if control:
        post.problems[control] = text
    else:
        post.general = text


def _at_control(error: PlatformError) -> str:
    """What is wrong, for the control that it is about. Raises refusals that are pages of their own."""
    if isinstance(error, (PermissionDenied, Unauthenticated)):
        raise error
    return error.public_text.removeprefix(f"{error.field}: ")


async def _drawn(visit: Visit, target: Target, post: _Post, *, status: int = 200) -> Response:
    form = target.form
    controls = form.draw(post.state, post.problems) if form else []
    drawn = {control.name for control in controls}
    queues = await visit.platform.queues.ListQueues(ListQueuesRequest())
    forced = set(post.state.values.get(_FORCE, ()))
    return visit.render(
        "launch.html",
        status=status,
        target=target,
        title=_title(target),
        back=_back(target),
        address=f"/launch?{visit.request.url.query}",
        controls=controls,
        too_large=form is None,
        state=post.state,
        problems=post.problems,
        general=post.general,
        mend=len(post.problems),
        stray=_stray(post.problems, drawn),
        queues=[queue.name for queue in queues.queues],
        most_files=MOST_FILES,
        most_gib=MOST_GIB,
        kept=[(action, action.id.name in forced) for action in target.kept],
        request_id=SystemIds().unique(),
    )


def _stray(problems: Mapping[str, str], drawn: set[str]) -> list[str]:
    """Problems at inputs that the form does not draw, which would not be seen otherwise."""
    return [
        text
        for name, text in problems.items()
        if name.startswith(f"{PREFIX}.") and ".".join(name.split(".")[:2]) not in drawn
    ]


def _title(target: Target) -> str:
    if target.source is None:
        return f"Run {target.task.name}"
    return f"{'Recover' if target.recover else 'Run again'}: {target.source.name}"


def _back(target: Target) -> str:
    if target.source is not None:
        return run_path(target.source)
    return task_path(target.project, target.domain, target.task.name, version=target.version)


ROUTES: Final = (page("/launch", show), change("/launch", launch))
