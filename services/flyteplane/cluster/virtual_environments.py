"""Virtual environments for images: the packages that an image adds, installed once and kept by digest.

An environment sees everything that the platform's own interpreter sees, and its own packages before that. It is
complete when its marker is there, which is written last: an installation that was cut short is thrown away and begun
again.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flyteplane.foundation.digest import digest_of_parts
from flyteplane.foundation.errors import InvalidArgument

_MARKER: Final = ".complete"
_DIGEST_CHARACTERS: Final = 24
_SHOWN_LINES: Final = 12


class VirtualEnvironments:
    """Environments below one folder; each is installed once, however many ask for it at the same time."""

    def __init__(self, root: Path, *, python: str = sys.executable) -> None:
        self._root = root
        self._python = python
        self._installing: dict[str, asyncio.Task[Path]] = {}

    async def interpreter(self, packages: Sequence[str]) -> Path:
        """The interpreter that has these requirements. Raises InvalidArgument if they cannot be installed."""
        wanted = sorted(set(packages))
        digest = digest_of_parts([sys.version, self._python, *wanted])[:_DIGEST_CHARACTERS]
        folder = self._root / digest
        python = folder / "bin" / "python"
        if (folder / _MARKER).exists():
            return python
        task = self._installing.get(digest)
        if task is None:
            task = asyncio.create_task(self._install(folder, wanted))
            self._installing[digest] = task
            task.add_done_callback(lambda _done: self._installing.pop(digest, None))
        # Whoever asked first may give up; the others still want it.
        return await asyncio.shield(task)

    async def _install(self, folder: Path, packages: Sequence[str]) -> Path:
        if folder.exists():
            await asyncio.to_thread(shutil.rmtree, folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        python = folder / "bin" / "python"
        await _run([self._python, "-m", "venv", "--system-site-packages", "--without-pip", str(folder)], packages)
        _see_packages_of_this_interpreter(folder)
        if (await _run_code([str(python), "-m", "pip", "--version"]))[0] != 0:
            await _run([str(python), "-m", "ensurepip", "--default-pip"], packages)
        command = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet"]
        await _run([*command, *packages], packages)
        await asyncio.to_thread(_leave_out_other_sdk, folder)
        (folder / _MARKER).write_text("\n".join(packages) + "\n")
        return python


def _see_packages_of_this_interpreter(folder: Path) -> None:
    """The platform may itself run in a virtual environment, which `--system-site-packages` does not mean."""
    (site_packages,) = folder.glob("lib/python*/site-packages")
    known = [path for path in sys.path if path and Path(path).is_dir()]
    lines = [f"import site; site.addsitedir({path!r})" for path in known]
    (site_packages / "flyteplane.pth").write_text("\n".join(lines) + "\n")


def _leave_out_other_sdk(folder: Path) -> None:
    """What a package brought along under the SDK's name would be imported by the worker in the SDK's place."""
    for site_packages in folder.glob("lib/python*/site-packages"):
        shutil.rmtree(site_packages / "flyte", ignore_errors=True)


async def _run(command: Sequence[str], packages: Sequence[str]) -> None:
    code, output = await _run_code(command)
    if code != 0:
        last_lines = "\n".join(output.splitlines()[-_SHOWN_LINES:])
        raise InvalidArgument(
            f"the packages {', '.join(packages)} cannot be installed:\n{last_lines}",
            reason="IMAGE_PACKAGES",
            field="image.python_packages",
            mend="Correct the requirements of the image.",
        )


async def _run_code(command: Sequence[str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _none = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    return process.returncode or 0, output.decode(errors="replace")
