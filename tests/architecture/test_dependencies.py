"""What the code imports is what pyproject.toml declares, so that a plain install can run all of it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

FIRST_PARTY = {"flyte", "flyteplane", "flyteapi", "etcdserverpb"}
SHIPPED = ("sdk", "services")
LOADED_BY_OTHERS = {"python-multipart"}
"""Libraries that another one loads by itself where it is asked for something: starlette, when it reads a form."""


def normalized(name: str) -> str:
    """Spells a distribution's name the way package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    """Returns the normalized names of requirements, without their versions."""
    return {normalized(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) for line in requirements}


def plain_install(repository: Path) -> set[str]:
    """Returns the distributions that everyone gets."""
    return names(tomllib.loads((repository / "pyproject.toml").read_text())["project"]["dependencies"])


def extras(repository: Path) -> set[str]:
    """Returns the distributions that users may add; not those of developers."""
    optional = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return names([line for extra, lines in optional.items() if extra != "dev" for line in lines])


def third_party_imports(path: Path) -> Iterator[str]:
    """Yields the top-level names that a module imports from outside of the standard library and of this project."""
    for node in ast.walk(ast.parse(path.read_text())):
        imported: list[str] = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported = [node.module]
        for name in imported:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in FIRST_PARTY:
                yield top


def test_every_imported_library_is_a_declared_dependency(repository: Path) -> None:
    declared = plain_install(repository) | extras(repository)
    providers = packages_distributions()
    undeclared = {
        f"{path.relative_to(repository)}: {name}"
        for folder in SHIPPED
        for path in (repository / folder).rglob("*.py")
        for name in third_party_imports(path)
        if not {normalized(provider) for provider in providers.get(name, [])} & declared
    }
    assert sorted(undeclared) == []


def test_every_library_of_the_plain_install_is_imported(repository: Path) -> None:
    providers = packages_distributions()
    used = {
        normalized(provider)
        for folder in SHIPPED
        for path in (repository / folder).rglob("*.py")
        for name in third_party_imports(path)
        for provider in providers.get(name, [])
    }
    assert sorted(plain_install(repository) - used - LOADED_BY_OTHERS) == []
