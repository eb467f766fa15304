"""What may be loaded: `import flyte` stays light, and the platform holds nothing that could unpickle a user's value."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "grpc",
    "opentelemetry",
    "pydantic",
    "rich",
    "kubernetes",
    "sqlalchemy",
    "cryptography",
    "google.protobuf",
    "flyteplane",
)
UNPICKLERS = {"cloudpickle", "pickle", "dill", "marshal", "shelve"}

REPORT_LOADED = "import sys, flyte; print('\\n'.join(sys.modules))"


def imported_names(source: str) -> set[str]:
    """Returns the top-level names that a module imports anywhere, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_importing_the_sdk_loads_no_heavy_library(repository: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", REPORT_LOADED],
        env={"PYTHONPATH": str(repository / "sdk")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(finished.stdout.split())
    assert loaded & set(HEAVY) == set()


def test_no_module_of_the_platform_can_unpickle(repository: Path) -> None:
    offenders = {
        str(path.relative_to(repository)): sorted(found)
        for path in sorted((repository / "services").rglob("*.py"))
        if (found := imported_names(path.read_text()) & UNPICKLERS)
    }
    assert offenders == {}
