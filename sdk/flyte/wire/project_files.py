"""Projects of uv and of poetry, and scripts, as the requirements and constraints that their files come down to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_TABLES_OF_UV: Final = (
    *("sources", "index", "index-url", "extra-index-url", "find-links"),
    *("override-dependencies", "constraint-dependencies"),
)


def script_dependencies(script: Path) -> list[str]:
    """Return the dependencies of a script's header (PEP 723)."""
    import tomllib

    header: list[str] = []
    inside = False
    for line in script.read_text().splitlines():
        if line.strip() == "# /// script":
            inside = True
        elif inside and line.strip() == "# ///":
            break
        elif inside:
            header.append(line.removeprefix("#").removeprefix(" "))
    return _texts(tomllib.loads("\n".join(header)).get("dependencies"))


def project_dependencies(pyproject: Path) -> list[str]:
    """Return the dependencies that a project declares (PEP 621)."""
    return _texts(_table(_toml(pyproject), "project").get("dependencies"))


def locked_versions(lock: Path | None) -> list[str]:
    """Return what the lock file of uv or poetry says, as constraints: requirements of one version each."""
    locked = _locked(lock)
    return [f"{package['name']}=={package['version']}{_marker(package)}" for package in locked]


def only_for_tools(pyproject: Path, *, lock: Path | None) -> Iterator[str]:
    """What of a project its tool alone can keep, for people."""
    content = _toml(pyproject)
    tool = _table(content, "tool")
    yield from (f"tool.uv.{name}" for name in _TABLES_OF_UV if _table(tool, "uv").get(name))
    poetry = _table(tool, "poetry")
    if poetry.get("source"):
        yield "tool.poetry.source"
    if set(_table(poetry, "dependencies")) - {"python"} and not _table(content, "project").get("dependencies"):
        yield "tool.poetry.dependencies"
    locked = _locked(lock)
    versions = Counter(str(package["name"]) for package in locked if not _marker(package))
    yield from (f"several versions of {name}" for name, count in versions.items() if count > 1)


def _locked(lock: Path | None) -> list[Mapping[str, Any]]:
    """The packages of a lock file but for the project itself, which has no version of its own there."""
    packages: Sequence[Mapping[str, Any]] = _toml(lock).get("package", ()) if lock is not None else ()
    return [
        package
        for package in packages
        if "version" in package and not {"virtual", "editable"} & set(_table(package, "source"))
    ]


def _marker(package: Mapping[str, Any]) -> str:
    """uv locks several versions of a package if they are for different machines or Pythons."""
    markers = _texts(package.get("resolution-markers"))
    return f" ; {' or '.join(f'({marker})' for marker in markers)}" if markers else ""


def _toml(file: Path) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(file.read_text())


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = content.get(name)
    return table if isinstance(table, Mapping) else {}


def _texts(values: Any) -> list[str]:
    return [str(value) for value in values or ()]
