"""How the packages of an image are installed where there is no image: calls of pip, one after the other.

The options of one call hold for its own packages alone. What would put packages anywhere else than into the environment
that is made for them is no option of a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import ImageSpec

_ELSEWHERE: Final = (
    *("--target", "--prefix", "--root", "--user", "--python", "--dry-run"),
    *("--editable", "--requirement", "--constraint", "--log", "--report"),
)
_ELSEWHERE_SHORT: Final = ("-t", "-e", "-r", "-c")


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonInstall:
    """One call of pip: requirements, words of its command line, and constraints on whatever it installs."""

    packages: tuple[str, ...]
    options: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()

    @property
    def has_own_options(self) -> bool:
        """Whether a requirement has options behind it, which pip reads in files only."""
        return any(" --" in package for package in self.packages)

    def parts(self) -> tuple[str, ...]:
        """All that distinguishes this call from others, as texts."""
        lists = (self.packages, self.options, self.constraints)
        return tuple(text for one in lists for text in (str(len(one)), *one))


def installs_of(image: ImageSpec) -> tuple[PythonInstall, ...]:
    """The calls that give a process the packages of an image; none for an image that adds no packages."""
    if not image.python_installs:
        plain = tuple(sorted(set(image.python_packages)))
        return (PythonInstall(packages=plain),) if plain else ()
    return tuple(
        PythonInstall(
            packages=tuple(one.packages), options=tuple(one.options), constraints=tuple(sorted(one.constraints))
        )
        for one in image.python_installs
        if one.packages
    )


def options_elsewhere(options: Sequence[str]) -> list[str]:
    """Those options that lead out of the environment: to other folders, or to files that are not sent along."""
    return [word for word in options if word.startswith(_ELSEWHERE_SHORT) or _is_elsewhere(word)]


def _is_elsewhere(word: str) -> bool:
    """pip takes any beginning of a long option that is clear; `--pre` is one of its own."""
    name = word.partition("=")[0]
    return len(name) > len("--") and name != "--pre" and any(option.startswith(name) for option in _ELSEWHERE)
