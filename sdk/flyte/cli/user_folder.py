"""The user's files, where a command is about all of those in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import rich_click as click

from flyte.cli.user_file import UserFile, load_user_file


def load_user_files(
    path: Path, *, root_dir: Path | None, all_files: bool, recursive: bool, ignore_load_errors: bool
) -> list[UserFile]:
    """Import a file, or all files of a folder that speak of flyte, and return what they define.

    Raises ClickException as `load_user_file` does, for a folder that was not asked for as one, and if nothing is left.
    """
    if not all_files:
        return [load_user_file(path, root_dir=root_dir)]
    loaded: list[UserFile] = []
    for file in _files(path, recursive=recursive):
        try:
            loaded.append(load_user_file(file, root_dir=root_dir))
        except click.ClickException as error:
            if not ignore_load_errors:
                raise
            click.echo(f"Left out: {error.message.splitlines()[0]}", err=True)
    if not loaded:
        raise click.ClickException(f"{path} has no file with a flyte.TaskEnvironment.")
    return loaded


def _files(path: Path, *, recursive: bool) -> Iterator[Path]:
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise click.ClickException(f"Folder {folder} does not exist.")
    for file in sorted(folder.rglob("*.py") if recursive else folder.glob("*.py")):
        hidden = any(part.startswith((".", "__")) for part in file.relative_to(folder).parts)
        if not hidden and "TaskEnvironment" in file.read_text(errors="ignore"):
            yield file
