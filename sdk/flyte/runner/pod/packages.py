"""Whether the image has the Python packages that its task asks for.

An image that is built elsewhere may lack what the program's `flyte.Image` lists. That is said before the task runs, and
by name, where the task would only fail at an import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

from flyte.runner.pod.endings import CannotRun

_NAME: Final = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


def check_packages(requirements: Iterable[str], *, image: str) -> None:
    """Raises CannotRun (IMAGE_LACKS_PACKAGE) if one of the requirements is not met by what is installed."""
    lacking = [problem for text in requirements if (problem := _problem_of(text))]
    if lacking:
        raise CannotRun(
            f"The image {image or 'of this platform'} does not fit the task: {'; '.join(lacking)}. "
            "Build an image that has them and name it, or leave them out of the environment's image.",
            code="IMAGE_LACKS_PACKAGE",
        )


def _problem_of(text: str) -> str:
    """What is wrong with one requirement; "" if it is met, or names no package at all."""
    from importlib.metadata import PackageNotFoundError, version

    name = _NAME.match(text)
    if name is None:
        return ""
    if not _is_wanted_here(text):
        return ""
    try:
        installed = version(name[1])
    except PackageNotFoundError:
        return f"it lacks the package {text.strip()}"
    return "" if _accepts(text, installed) else f"it has {name[1]} {installed}, and {text.strip()} is asked for"


def _is_wanted_here(text: str) -> bool:
    requirement = _parsed(text)
    return requirement is None or requirement.marker is None or bool(requirement.marker.evaluate())


def _accepts(text: str, installed: str) -> bool:
    requirement = _parsed(text)
    return requirement is None or bool(requirement.specifier.contains(installed, prereleases=True))


def _parsed(text: str) -> Any:
    """The requirement as `packaging` reads it; None where that is not installed or the text is no plain requirement."""
    try:
        # Nothing of ours needs it, and most images have it: without it only names are compared.
        reading = import_module("packaging.requirements")
    except ImportError:
        return None
    try:
        return reading.Requirement(text)
    except reading.InvalidRequirement:
        return None
