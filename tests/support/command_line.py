"""The command line in this process, for tests that want what a command says or does and not that it is a program.

It gets an environment and streams of its own, and whatever platform this process was a client of, it is afterwards.
Commands that load user's code, start platforms or are killed belong into a process: `PlatformUnderTest.flyte`.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest.mock import patch

from flyte.cli.main import main
from flyte.client.init import current_settings, set_settings


def flyte_here(*arguments: str, env: Mapping[str, str], stdin: str = "") -> CompletedProcess[str]:
    """Run a command to its end; `env` has all its variables that begin with FLYTE_, and may have others."""
    told, complained = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLYTE_")}
    settings_before, code = current_settings(), 0
    with (
        patch.dict(os.environ, {**kept, **env}, clear=True),
        patch.object(sys, "stdin", given),
        redirect_stdout(told),
        redirect_stderr(complained),
    ):
        try:
            main(list(arguments))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            set_settings(settings_before)
    return CompletedProcess(["flyte", *arguments], code, _text(told), _text(complained))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
