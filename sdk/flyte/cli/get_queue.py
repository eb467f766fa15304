"""`flyte get queue`: queues, their limits, and what runs and waits in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_details, print_json, print_table
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.queue_service_pb2 import Queue


@click.command("queue")
@click.argument("name", required=False)
@json_option
@click.pass_context
def get_queue(ctx: click.Context, *, name: str | None, as_json: bool) -> None:
    """List queues, or show the queue NAME."""
    root = root_options(ctx)
    root.choose_platform()
    as_json = as_json or root.json
    queues = [facts(queue) for queue in fetch_queues(name)]
    if as_json:
        print_json(queues[0] if name is not None else queues)
    elif name is not None:
        print_details(_details(queues[0]))
    else:
        print_table(
            (
                *("queue", "state", "running", "waiting", "runs", "action limit", "run limit"),
                *("depth", "priority", "clusters", "kept in"),
            ),
            map(_row, queues),
            empty="No queues.",
        )


def _row(queue: dict[str, Any]) -> tuple[Any, ...]:
    limits = (queue[name] or "none" for name in ("action_concurrency", "run_concurrency", "depth"))
    return (
        *(queue["queue"], queue["state"], queue["running"], queue["waiting"], queue["running_runs"]),
        *(*limits, queue["priority"], ", ".join(queue["clusters"]), "file" if queue["from_file"] else ""),
    )


def _details(queue: dict[str, Any]) -> dict[str, Any]:
    limits = {name: queue[name] or "none" for name in ("run_concurrency", "action_concurrency", "depth")}
    counts = {name: str(queue[name]) for name in ("running", "waiting", "running_runs", "priority")}
    kept_in = "the operator's file" if queue["from_file"] else ""
    shown = {**queue, **limits, **counts, "clusters": ", ".join(queue["clusters"]), "from_file": kept_in}
    return {{"from_file": "kept in"}.get(name, name.replace("_", " ")): value for name, value in shown.items()}


@syncify
async def fetch_queues(name: str | None) -> list[Queue]:
    """Return all queues, or the one of a name."""
    from flyte.client.channel import connection
    from flyte.client.pages import pages
    from flyteapi.scheduler.v1.queue_service_pb2 import GetQueueRequest, ListQueuesRequest

    platform = connection()
    if name is not None:
        return [(await platform.call(platform.queues.GetQueue, GetQueueRequest(name=name))).queue]
    listed = pages(platform, platform.queues.ListQueues, ListQueuesRequest())
    return [queue async for page in listed for queue in page.queues]


def facts(queue: Queue) -> dict[str, Any]:
    """Return what is known of a queue, for programs."""
    from flyteapi.scheduler.v1.queue_service_pb2 import QueueState

    return {
        "queue": queue.name,
        "state": QueueState.Name(queue.state).removeprefix("QUEUE_STATE_").lower(),
        "running": queue.running,
        "waiting": queue.waiting,
        "running_runs": queue.running_runs,
        "run_concurrency": queue.run_concurrency,
        "action_concurrency": queue.action_concurrency,
        "depth": queue.depth,
        "priority": queue.priority if queue.HasField("priority") else 500,
        "clusters": list(queue.clusters) or ["*"],
        "from_file": queue.from_file,
    }
