"""`flyte drain`: a queue that is to accept nothing more."""

from __future__ import annotations

import rich_click as click

from flyte.cli.queue_commands import drain_queue


@click.group()
def drain() -> None:
    """Let a queue accept nothing more; what it has still runs."""


drain.add_command(drain_queue)
