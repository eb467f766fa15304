"""`flyte create|update|delete|drain|activate queue`: what an operator does to queues.

Every change holds for what is admitted next; nothing that runs is ended by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from flyte.cli.options import root_options
from flyte.cli.quantity_types import COUNT, PRIORITY
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.queue_service_pb2 import Queue

Command = TypeVar("Command", bound=Callable[..., Any])


def limit_options(command: Command) -> Command:
    """Add the options that say what a queue may do; one that is not given is None or empty."""
    options = (
        click.option("--run-concurrency", type=COUNT, metavar="N", help="Most runs that run at once; 0: no limit."),
        click.option(
            "--action-concurrency",
            type=COUNT,
            metavar="N",
            help="Most actions that run at once, without those that wait for their children; 0: no limit.",
        ),
        click.option(
            "--depth",
            type=COUNT,
            metavar="N",
            help="Most actions, running and waiting; more are refused and told to come again. 0: no limit.",
        ),
        click.option(
            "--priority",
            type=PRIORITY,
            help="Which queue is served first: min, medium, max or 0 to 1000. Waiting raises it; nothing is preempted.",
        ),
        click.option(
            "--cluster", "clusters", multiple=True, metavar="NAME", help="Cluster to use; '*' for all. Repeatable."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("queue")
@click.argument("name")
@limit_options
@click.pass_context
def create_queue(ctx: click.Context, /, *, name: str, **limits: Any) -> None:
    """Create the queue NAME. Tasks choose it with `queue=`, runs with `--queue`.

    Without options it has no limits, medium priority and all clusters.
    """
    from flyteapi.scheduler.v1.queue_service_pb2 import Queue

    root_options(ctx).choose_platform()
    queue = Queue(name=name)
    _apply(queue, limits)
    put(queue, must_be_new=True)
    click.echo(f"Created queue {name}.")


@click.command("queue")
@click.argument("name")
@limit_options
@click.pass_context
def update_queue(ctx: click.Context, /, *, name: str, **limits: Any) -> None:
    """Change what is given of the queue NAME. Nothing that runs is ended by it."""
    from flyte.cli.get_queue import fetch_queues

    if all(value in (None, ()) for value in limits.values()):
        raise click.UsageError(
            "Nothing to change: give --run-concurrency, --action-concurrency, --depth, --priority or --cluster. "
            "To stop a queue from accepting use `flyte drain queue`."
        )
    root_options(ctx).choose_platform()
    queue = fetch_queues(name)[0]
    _apply(queue, limits)
    put(queue, must_exist=True)
    click.echo(f"Updated queue {name}.")


@click.command("queue")
@click.argument("name")
@click.pass_context
def delete_queue(ctx: click.Context, *, name: str) -> None:
    """Delete the queue NAME, which must be drained and empty: see `flyte drain queue`."""
    root_options(ctx).choose_platform()
    remove(name)
    click.echo(f"Deleted queue {name}.")


@click.command("queue")
@click.argument("name")
@click.pass_context
def drain_queue(ctx: click.Context, *, name: str) -> None:
    """Let the queue NAME accept nothing more. What it has still runs."""
    root_options(ctx).choose_platform()
    queue = drain(name, resume=False)
    if queue.running or queue.waiting:
        left = f"{queue.running} running and {queue.waiting} waiting actions are left"
        click.echo(f"Queue {name} is draining: {left}. Look again with `flyte get queue {name}`.")
    else:
        click.echo(f"Queue {name} is drained: it accepts nothing and holds nothing.")


@click.command("queue")
@click.argument("name")
@click.pass_context
def activate_queue(ctx: click.Context, *, name: str) -> None:
    """Let the queue NAME accept again after it was drained."""
    root_options(ctx).choose_platform()
    drain(name, resume=True)
    click.echo(f"Queue {name} is active.")


def _apply(queue: Queue, limits: dict[str, Any]) -> None:
    """Set what was given."""
    for name in ("run_concurrency", "action_concurrency", "depth", "priority"):
        if limits[name] is not None:
            setattr(queue, name, limits[name])
    if limits["clusters"]:
        queue.clusters[:] = limits["clusters"]


@syncify
async def put(queue: Queue, *, must_be_new: bool = False, must_exist: bool = False) -> Queue:
    """Store a queue and return it as it is stored."""
    from flyte.client.call_ids import new_request_id
    from flyte.client.channel import connection
    from flyteapi.scheduler.v1.queue_service_pb2 import PutQueueRequest

    platform = connection()
    request = PutQueueRequest(queue=queue, must_be_new=must_be_new, must_exist=must_exist, request_id=new_request_id())
    return (await platform.change(platform.queues.PutQueue, request)).queue


@syncify
async def drain(name: str, *, resume: bool) -> Queue:
    """Drain a queue, or with `resume` activate it, and return it as it is then."""
    from flyte.client.channel import connection
    from flyteapi.scheduler.v1.queue_service_pb2 import DrainQueueRequest

    platform = connection()
    return (await platform.change(platform.queues.DrainQueue, DrainQueueRequest(name=name, resume=resume))).queue


@syncify
async def remove(name: str) -> None:
    """Delete a queue."""
    from flyte.client.call_ids import new_request_id
    from flyte.client.channel import connection
    from flyteapi.scheduler.v1.queue_service_pb2 import DeleteQueueRequest

    platform = connection()
    request = DeleteQueueRequest(name=name, request_id=new_request_id())
    await platform.change(platform.queues.DeleteQueue, request)
