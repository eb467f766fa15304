"""`flyte drain`: a queue that is to accept nothing more, or a pool that is to let its replicas go."""

from __future__ import annotations

import rich_click as click

from flyte.cli.pool_commands import drain_pool
from flyte.cli.queue_commands import drain_queue


@click.group()
def drain() -> None:
    """Drain a queue or a pool: what it has still runs."""


drain.add_command(drain_queue)
drain.add_command(drain_pool)
