"""`flyte activate`: a drained queue that is to accept again."""

from __future__ import annotations

import rich_click as click

from flyte.cli.queue_commands import activate_queue


@click.group()
def activate() -> None:
    """Let a drained queue accept again."""


activate.add_command(activate_queue)
