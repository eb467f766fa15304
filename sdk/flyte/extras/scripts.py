"""Runs a Python script as the work of a task, for `flyte run python-script`.

The script is a process of its own in a fresh copy of its folder: it may call `sys.exit`, set signal handlers and write
where it is, and the next attempt sees nothing of that. What it prints is what the task prints. It ends with the task:
when the attempt is cancelled, the whole process group is killed.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from flyte.io import Dir

_PIECE_BYTES: Final = 64 << 10


class ScriptFailed(Exception):
    """A script ended with another exit code than 0."""


async def run_script(
    script: Path, arguments: Sequence[str] = (), *, output_dir: str | None = None
) -> Dir[bytes] | None:
    """Run a script in a copy of its folder, and return the folder `output_dir` that it leaves there, None without one.

    Raises ScriptFailed for an exit code other than 0, and FileNotFoundError if the script leaves no such folder.
    """
    with TemporaryDirectory(prefix="flyte-script-") as scratch:
        folder = Path(scratch) / script.parent.name
        await asyncio.to_thread(shutil.copytree, script.parent, folder)
        code = await _exit_code(folder / script.name, arguments)
        if code != 0:
            how = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
            raise ScriptFailed(f"{script.name} ended with {how}")
        return None if output_dir is None else await _left(folder / output_dir)


async def _exit_code(script: Path, arguments: Sequence[str]) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        *arguments,
        cwd=script.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        await asyncio.gather(_relay(process.stdout, sys.stdout), _relay(process.stderr, sys.stderr))
        return await process.wait()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _relay(source: asyncio.StreamReader, target: TextIO) -> None:
    """Write what a script prints to a stream of the task, which knows whose it is and masks secrets."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while data := await source.read(_PIECE_BYTES):
        target.write(decoder.decode(data))
        target.flush()


async def _left(folder: Path) -> Dir[bytes]:
    from flyte.io import Dir

    if not folder.is_dir():
        raise FileNotFoundError(f"the script left no folder {folder.name}, which --output-dir asks for")
    return await Dir.from_local(folder)
