"""`flyte get action` and `flyte get io`: a run's tree of actions, one action, and its data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import duration, print_details, print_json, print_table
from flyte.cli.resolved_settings import resolved_settings, settings_lines

if TYPE_CHECKING:
    from flyte.remote import Action, ActionDetails
    from flyteapi.scheduler.v1.scheduler_service_pb2 import ExplainActionResponse
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

_WORDS = {
    "explanation": "explanation",
    "waits_for": "waits for",
    "resource_class": "resource class",
    "cluster": "cluster",
    "node": "node",
    "worker": "worker",
    "cluster_message": "cluster says",
    "not_before": "not before",
}
"""What an explanation consists of, and its names for people."""


@click.command("action")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="[ACTION]", required=False)
@click.option("--explain", is_flag=True, help="Say what the action waits for, and where its settings come from.")
@click.option("--in-phase", multiple=True, help="Only actions in this phase, for example failed. Repeatable.")
@scope_options
@json_option
@click.pass_context
def get_action(
    ctx: click.Context,
    *,
    run_name: str,
    action_name: str | None,
    explain: bool,
    in_phase: tuple[str, ...],
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """Show the tree of actions of RUN, or its action ACTION ("a0" is the root)."""
    from flyte.remote import Action, ActionDetails

    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    as_json = as_json or root.json
    if action_name is not None or explain:
        details = ActionDetails.get(run_name=run_name, name=action_name or "a0")
        _show(details, explain=explain, as_json=as_json)
        return
    try:
        actions = list(Action.listall(run_name, in_phase=in_phase))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        print_json([facts(action) for action in actions])
        return
    rows = tree_order(actions) if not in_phase else ((0, action) for action in actions)
    print_table(
        ("action", "task", "phase", "attempt", "took", "why"),
        (_row(depth, action) for depth, action in rows),
        empty="No actions.",
    )


def tree_order(actions: Iterable[Action]) -> Iterator[tuple[int, Action]]:
    """Yield (depth, action), each below its parent."""
    known = {action.name: action for action in actions}
    below: dict[str, list[Action]] = {}
    for action in known.values():
        below.setdefault(action.parent_name if action.parent_name in known else "", []).append(action)
    waiting = [(0, action) for action in reversed(below.get("", []))]
    while waiting:
        depth, action = waiting.pop()
        yield depth, action
        waiting += [(depth + 1, child) for child in reversed(below.get(action.name, []))]


def _row(depth: int, action: Action) -> tuple[Any, ...]:
    state = action.state
    name = state.header.short_name or action.task_name
    group = f" ({state.header.group})" if state.header.group else ""
    why = state.reason or state.error.message.partition("\n")[0]
    return (
        "  " * depth + action.name,
        f"{name}{group}",
        action.phase.name,
        state.attempt,
        duration(action.duration),
        f"from cache ({state.cached_from})" if state.cached_from else why,
    )


def facts(action: Action) -> dict[str, Any]:
    """Return what is known of an action, for programs."""
    state = action.state
    return {
        "action": action.name,
        "parent": action.parent_name,
        "task": action.task_name,
        "group": state.header.group,
        "phase": action.phase.name,
        "attempt": state.attempt,
        "queue": state.header.queue,
        "seconds": None if action.duration is None else action.duration.total_seconds(),
        "cache": cache_status_name(state.cache_status),
        "cached_from": state.cached_from,
        "reason": state.reason,
        "error": {"code": state.error.code, "message": state.error.message} if state.HasField("error") else None,
    }


def cache_status_name(status: int) -> str:
    """Return what the cache did for an action: hit, miss, stored, skipped, failed; empty if it is not cached."""
    from flyteapi.common.v1.phase_pb2 import CacheStatus

    return CacheStatus.Name(status).removeprefix("CACHE_STATUS_").lower() if status else ""  # type: ignore[arg-type]  # a plain number


def _show(details: ActionDetails, *, explain: bool, as_json: bool) -> None:
    from flyte.remote import Action

    shown = facts(Action(details.state))
    shown["attempts"] = [
        {
            "attempt": attempt.attempt,
            "phase": _phase(attempt.phase),
            "worker": attempt.worker,
            "cluster": attempt.cluster,
            "resource_class": attempt.resource_class,
            "error": f"{attempt.error.code}: {attempt.error.message}" if attempt.HasField("error") else "",
        }
        for attempt in details.attempt_states
    ]
    if explain:
        explained = details.explain()
        shown |= explanation(explained)
        shown["queue"] = explained.queue or shown["queue"]
        shown["settings"] = resolved_settings(_task_in_its_run(details))
    if as_json:
        print_json(shown)
        return
    if shown["error"]:
        shown["error"] = f"{shown['error']['code']}: {shown['error']['message']}"
        shown["traceback"] = details.state.error.traceback.rstrip()
    if shown["seconds"] is not None:
        shown["took"] = duration(details.runtime)
    del shown["seconds"]
    shown["attempts"] = "\n".join(map(_attempt, shown["attempts"]))
    if explain:
        _say_waiting(shown)
        shown["settings"] = settings_lines(shown["settings"])
    print_details(shown)


def _task_in_its_run(details: ActionDetails) -> TaskSpec:
    from flyte.remote import Run
    from flyte.spec.in_run import in_run

    run = Run.get(details.run_name).message
    task: TaskSpec = in_run(details.task, run.settings, fired=bool(run.trigger))
    return task


def _phase(phase: Any) -> str:
    from flyte.remote.phases import phase_from_proto

    return phase_from_proto(phase).name


def _attempt(one: dict[str, Any]) -> str:
    where = " ".join(f"{word} {one[name]}" for word, name in (("on", "cluster"), ("as", "resource_class")) if one[name])
    return "  ".join(part for part in (f"{one['attempt']}: {one['phase']}", one["worker"], where, one["error"]) if part)


def explanation(explained: ExplainActionResponse) -> dict[str, Any]:
    """Return why an action is where it is, for programs."""
    from flyte.remote.action import optional_moment

    waits = explained.waits_for
    return {
        "explanation": explained.summary,
        "waits_for": waits,
        "ahead_in_queue": explained.ahead_in_queue if waits or explained.ahead_in_queue else None,
        "resource_class": explained.resource_class,
        "cluster": explained.cluster,
        "node": explained.node,
        "worker": explained.worker,
        "cluster_message": explained.cluster_message,
        "not_before": optional_moment(explained, "not_before"),
    }


def _say_waiting(shown: dict[str, Any]) -> None:
    """Put names for programs into words for people, and what belongs together next to each other."""
    ahead, settings = shown.pop("ahead_in_queue"), shown.pop("settings")
    if ahead is not None and shown["waits_for"] in ("", "queue", "run", "class", "cluster"):
        shown["position"] = f"{ahead + 1} in queue {shown['queue']}: {ahead} ahead"
    for name, words in _WORDS.items():
        shown[words] = shown.pop(name)
    shown["settings"] = settings


@click.command("io")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="[ACTION]", default="a0")
@click.option("-i", "--inputs-only", is_flag=True, help="Only the inputs.")
@click.option("-o", "--outputs-only", is_flag=True, help="Only the outputs.")
@click.option("--json", is_flag=True, expose_value=False, help="It is JSON in any case.")
@scope_options
@click.pass_context
def get_io(
    ctx: click.Context,
    *,
    run_name: str,
    action_name: str,
    inputs_only: bool,
    outputs_only: bool,
    project: str | None,
    domain: str | None,
) -> None:
    """Print the inputs and outputs of RUN, or of its action ACTION, as JSON. No pickle is opened for that."""
    from flyte.remote import ActionDetails
    from flyte.spec.phases import ActionPhase
    from flyte.types.closed_pickles import pickles_kept_closed

    if inputs_only and outputs_only:
        raise click.UsageError("--inputs-only and --outputs-only leave nothing to print: give one of them.")
    root_options(ctx).choose_platform(project=project, domain=domain)
    details = ActionDetails.get(run_name=run_name, name=action_name)
    shown: dict[str, Any] = {}
    with pickles_kept_closed():
        if not outputs_only:
            shown["inputs"] = dict(details.inputs())
        if not inputs_only:
            shown["outputs"] = details.outputs().named_outputs if details.phase is ActionPhase.SUCCEEDED else None
    print_json(shown)
