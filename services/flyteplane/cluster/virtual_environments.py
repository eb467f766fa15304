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

from flyteplane.cluster.python_installs import PythonInstall
from flyteplane.foundation.digest import digest_of_parts
from flyteplane.foundation.errors import InvalidArgument

_MARKER: Final = ".complete"
#: Hexadecimal; no two environments of a machine are equal by chance.
_DIGEST_CHARACTERS: Final = 24
#: Of an installer that failed: its last lines say why.
_SHOWN_LINES: Final = 12


class VirtualEnvironments:
    """Environments below one folder; each is installed once, however many ask for it at the same time."""

    def __init__(self, root: Path, *, python: str = sys.executable) -> None:
        self._root = root
        self._python = python
        self._installing: dict[str, asyncio.Task[Path]] = {}

    async def interpreter(self, installs: Sequence[PythonInstall]) -> Path:
        """The interpreter that has what these calls of pip install, in their order; other options are another one.

        Raises InvalidArgument if they cannot be installed.
        """
        parts = (part for install in installs for part in install.parts())
        digest = digest_of_parts([sys.version, self._python, *parts])[:_DIGEST_CHARACTERS]
        folder = self._root / digest
        python = folder / "bin" / "python"
        if (folder / _MARKER).exists():
            return python
        task = self._installing.get(digest)
        if task is None:
            task = asyncio.create_task(self._install(folder, installs))
            self._installing[digest] = task
            task.add_done_callback(lambda _done: self._installing.pop(digest, None))
        # Whoever asked first may give up; the others still want it.
        return await asyncio.shield(task)

    async def _install(self, folder: Path, installs: Sequence[PythonInstall]) -> Path:
        packages = [package for install in installs for package in install.packages]
        if folder.exists():
            await asyncio.to_thread(shutil.rmtree, folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        python = folder / "bin" / "python"
        await _run([self._python, "-m", "venv", "--system-site-packages", "--without-pip", str(folder)], packages)
        _see_packages_of_this_interpreter(folder)
        if (await _run_code([str(python), "-m", "pip", "--version"]))[0] != 0:
            await _run([str(python), "-m", "ensurepip", "--default-pip"], packages)
        command = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet"]
        for number, install in enumerate(installs):
            await _run([*command, *_words(install, folder / f"install-{number}")], install.packages)
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


def _words(install: PythonInstall, files: Path) -> list[str]:
    """What pip is told of one call; `files` is how the files begin that it is given."""
    words = list(install.options)
    if install.constraints:
        words += ["--constraint", _written(files.with_suffix(".constraints.txt"), install.constraints)]
    if install.has_own_options:
        return [*words, "--requirement", _written(files.with_suffix(".txt"), install.packages)]
    return [*words, *install.packages]


def _written(file: Path, lines: Sequence[str]) -> str:
    file.write_text("\n".join(lines) + "\n")
    return str(file)


async def _run(command: Sequence[str], packages: Sequence[str]) -> None:
    code, output = await _run_code(command)
    if code != 0:
        last_lines = "\n".join(output.splitlines()[-_SHOWN_LINES:])
        named = ", ".join(package.partition(" --")[0] for package in packages)
        raise InvalidArgument(
            f"the packages {named} cannot be installed:\n{last_lines}",
            reason="IMAGE_PACKAGES",
            field="image.python_packages",
            mend="Correct the requirements of the image, or the options of its step.",
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
