"""One action: what it was given and gave back, how it was configured, every attempt, and why it is where it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import grpc

from flyte.spec.in_run import in_run
from flyteapi.admin.v1.run_service_pb2 import (
    CountActionsRequest,
    ExplainActionRequest,
    GetActionDataRequest,
    GetActionDataResponse,
    GetActionRequest,
    GetRunRequest,
    SignalActionRequest,
)
from flyteapi.common.v1.identity_pb2 import ActionId
from flyteapi.task.v1.value_pb2 import Payload, Value
from flyteplane.console.live import Message, last_seen, stream
from flyteplane.console.pages.routes import change, page
from flyteplane.console.pages.run import run_of
from flyteplane.console.run_changes import RunWatch
from flyteplane.console.tree import Tree
from flyteplane.console.uploads import fetch_payload
from flyteplane.console.views.actions import action_view
from flyteplane.console.views.attempts import attempt_view, error_view, explanation_of, producer_of
from flyteplane.console.views.paths import action_path, run_path
from flyteplane.console.views.settings import settings_of
from flyteplane.console.views.values import ValueView, values_of
from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from starlette.responses import Response

    from flyteapi.admin.v1.run_service_pb2 import GetActionResponse
    from flyteapi.common.v1.identity_pb2 import RunId
    from flyteapi.task.v1.interface_pb2 import Parameter
    from flyteplane.console.visit import Visit

#: Larger payloads are not opened for a page.
_MOST_PAYLOAD: Final = 4 * 1024 * 1024


def action_of(visit: Visit) -> ActionId:
    """The action that the path names."""
    return ActionId(run=run_of(visit), name=visit.named["action"])


async def action(visit: Visit) -> Response:
    """The page."""
    named, runs = action_of(visit), visit.platform.runs
    # Before anything is read: events from there on are all that the page can have missed.
    following = (await runs.CountActions(CountActionsRequest(run=named.run))).next_sequence
    found, run, data, explained = await asyncio.gather(
        runs.GetAction(GetActionRequest(action=named)),
        runs.GetRun(GetRunRequest(run=named.run)),
        runs.GetActionData(GetActionDataRequest(action=named)),
        runs.ExplainAction(ExplainActionRequest(action=named)),
    )
    window = await Tree(visit.platform, named.run).window(named.name)
    inputs, outputs = await _values(visit, found, data)
    shown = action_view(found.action)
    attempts = [attempt_view(attempt) for attempt in found.attempts]
    return visit.render(
        "action.html",
        action=shown,
        run=run_path(named.run),
        run_name=named.run.name,
        parent=action_path(named.run, shown.parent) if shown.parent else "",
        description=found.task.long_description or found.task.short_description,
        error=error_view(found.action.error),
        inputs=inputs,
        outputs=outputs,
        settings=settings_of(in_run(found.task, run.run.settings, fired=bool(run.run.trigger))),
        attempts=attempts,
        explanation=explanation_of(explained.explanation),
        producer=producer_of(found.action),
        links=[(link.name, link.url) for link in found.task.links if link.url.startswith(("https://", "http://"))],
        report=found.task.report,
        condition=found.task.condition if found.task.HasField("condition") else None,
        window=window,
        following=following,
    )


async def _values(
    visit: Visit, found: GetActionResponse, data: GetActionDataResponse
) -> tuple[Sequence[ValueView] | None, Sequence[ValueView] | None]:
    interface = found.task.interface
    return (
        await _opened(visit, data.inputs, interface.inputs),
        await _opened(visit, data.outputs, interface.outputs) if data.HasField("outputs") else [],
    )


async def _opened(visit: Visit, payload: Payload, declared: Sequence[Parameter]) -> Sequence[ValueView] | None:
    """The values of a payload; None if they are too large or gone."""
    try:
        content = await fetch_payload(visit.platform, payload, most_bytes=_MOST_PAYLOAD)
    except grpc.aio.AioRpcError:
        return None
    return None if content is None else values_of(content, declared)


async def events(visit: Visit) -> Response:
    """Says when the action has changed, or its report; the page then reads its parts again."""
    named = action_of(visit)
    # Whoever may not see the action is told so by a status, not by a stream that breaks.
    found = await visit.platform.runs.GetAction(GetActionRequest(action=named))
    since, begun = last_seen(visit.request, otherwise=1), bool(found.attempts)
    return stream(_changes(visit, named.run, named.name, from_sequence=since, begun=begun))


async def _changes(
    visit: Visit, run: RunId, name: str, *, from_sequence: int, begun: bool
) -> AsyncGenerator[Message, None]:
    last = ""
    if begun:
        # It may have been written while nobody listened: before the first connection, or between two.
        yield Message(kind="report")
    async for changes in RunWatch(visit.platform, run, from_sequence=from_sequence, report_of=name).changes():
        if changes.report:
            yield Message(kind="report")
        if name in changes.names or changes.many or changes.ended:
            found = await visit.platform.runs.GetAction(GetActionRequest(action=ActionId(run=run, name=name)))
            now = f"{found.action.phase} {found.action.attempt} {len(found.attempts)}"
            if now != last:
                last = now
                terminal = action_view(found.action).phase.terminal
                yield Message(kind="changed", data={"terminal": terminal}, id=str(changes.next_sequence))
                if terminal:
                    break
        await asyncio.sleep(_PAUSE_S)
    yield Message(kind="ended")


_PAUSE_S: Final = 0.25


async def answer(visit: Visit) -> Response:
    """Answer a question."""
    named = action_of(visit)
    found = await visit.platform.runs.GetAction(GetActionRequest(action=named))
    given = _answer(found.task.condition.data_type, str(visit.form.get("answer") or ""))
    await visit.platform.runs.SignalAction(SignalActionRequest(action=named, answer=given))
    return visit.go_to(action_path(named.run, named.name))


def _answer(data_type: str, text: str) -> Value:
    try:
        match data_type:
            case "bool":
                return Value(bool=text == "true")
            case "int":
                return Value(int=int(text))
            case "float":
                return Value(float=float(text))
            case _:
                return Value(string=text)
    except ValueError:
        raise InvalidArgument(f"{text!r} is no {data_type}", field="answer") from None


_PATH: Final = "/runs/{project}/{domain}/{run}/actions/{action}"
ROUTES: Final = (
    page(_PATH, action),
    page(f"{_PATH}/events", events),
    change(f"{_PATH}/answer", answer),
)
