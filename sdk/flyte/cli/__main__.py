"""`python -m flyte.cli`: the command by another way, for debuggers and where nothing installs scripts."""

from __future__ import annotations

from flyte.cli import main

main()
