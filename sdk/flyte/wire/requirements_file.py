"""Requirements files, read as pip reads them: joined lines, comments, and options among the requirements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_JOINED: Final = re.compile(r"^(?!\s*#)(.*)\\\n", re.MULTILINE)
_COMMENT: Final = re.compile(r"(^|\s+)#.*$")
_FLAGS: Final = frozenset({"--pre", "--no-index", "--prefer-binary", "--require-hashes"})
_VALUED: Final = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--trusted-host": "--trusted-host",
    "--no-binary": "--no-binary",
    "--only-binary": "--only-binary",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsFile:
    """What a requirements file says.

    - `packages`: requirements, each with the options that stand behind it (`--hash=...`).
    - `options`: words of pip's command line that mean what the file's lines of options mean.
    - `elsewhere`: lines that cannot be kept without files beside this one, such as `-r other.txt`.
    """

    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def read_requirements(file: Path) -> RequirementsFile:
    """Read a requirements file. Raises OSError."""
    packages: list[str] = []
    options: list[str] = []
    elsewhere: list[str] = []
    for line in _lines(file.read_text()):
        if not line.startswith("-"):
            packages.append(line)
        elif (words := _options(line, folder=file.parent)) is not None:
            options += words
        else:
            elsewhere.append(line)
    return RequirementsFile(packages=tuple(packages), options=tuple(options), elsewhere=tuple(elsewhere))


def bare(requirement: str) -> str:
    """Return a requirement without the options that stand behind it."""
    return re.split(r"\s--", requirement, maxsplit=1)[0].strip()


def _lines(text: str) -> Iterator[str]:
    for line in _JOINED.sub(r"\1 ", text).splitlines():
        if content := _COMMENT.sub("", line).strip():
            yield content


def _options(line: str, *, folder: Path) -> list[str] | None:
    """The words for pip's command line, or None if the line has one that is not for a command line alone."""
    words = line.split()
    found: list[str] = []
    while words:
        name, equals, value = words.pop(0).partition("=")
        if name in _FLAGS and not equals:
            found.append(name)
            continue
        if name not in _VALUED or not (equals or words):
            return None
        value = value if equals else words.pop(0)
        found += [_VALUED[name], _beside(value, folder=folder) if _VALUED[name] == "--find-links" else value]
    return found


def _beside(place: str, *, folder: Path) -> str:
    """A folder of packages is looked for beside the file, and otherwise taken as it is written."""
    candidate = folder / place
    return str(candidate.absolute()) if candidate.exists() else place
