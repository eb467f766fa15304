"""The `flyte` command.

`main` is the group of all commands, for `click.testing` and for programs that add to it.
"""

from flyte.cli.main import main

__all__ = ["main"]
