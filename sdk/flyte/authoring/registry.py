"""The environments of this process: to find those of a file, and to refuse two of one name.

Registration is silent, because a notebook makes the same environment again and again. Names are compared when it
matters, for the environments that are deployed or run together.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flyte.spec.problems import InvalidSetting

if TYPE_CHECKING:
    from flyte.authoring.environment import Environment

_environments: list[weakref.ref[Environment]] = []


def register(environment: Environment) -> None:
    """Remember an environment as long as the program does."""
    _environments.append(weakref.ref(environment, _environments.remove))


def environments() -> list[Environment]:
    """Return the living environments, in the order of their making."""
    return [environment for reference in tuple(_environments) if (environment := reference()) is not None]


def with_dependencies(roots: Iterable[Environment]) -> list[Environment]:
    """Return environments with all that they depend on, dependencies first, each once.

    Raises InvalidSetting, a ValueError, if two different ones have one name, because only one could be deployed.
    Environments may depend on each other in a circle.
    """
    ordered: list[Environment] = []
    seen: set[int] = set()
    for root in roots:
        _visit(root, ordered, seen)
    _refuse_duplicates(ordered)
    return ordered


def _visit(environment: Environment, ordered: list[Environment], seen: set[int]) -> None:
    if id(environment) in seen:
        return
    seen.add(id(environment))
    for dependency in environment.depends_on:
        _visit(dependency, ordered, seen)
    ordered.append(environment)


def _refuse_duplicates(ordered: list[Environment]) -> None:
    names: set[str] = set()
    for environment in ordered:
        if environment.name in names:
            raise InvalidSetting(
                f"Duplicate environment name '{environment.name}' found. Each TaskEnvironment must have a unique name.",
                field="name",
            )
        names.add(environment.name)
