"""The import contracts of pyproject.toml hold: who may import whom, and who may touch which library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True, no_cache=True))"


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs import-linter over the SDK and the platform as they stand below `root`."""
    paths = f"import sys; sys.path[:0] = [{str(root / 'sdk')!r}, {str(root / 'services')!r}]; "
    wide = os.environ | {"COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", paths + LINT], cwd=root, env=wide, capture_output=True, text=True, check=False
    )


def test_every_import_contract_is_kept(repository: Path) -> None:
    finished = lint_imports(repository)
    assert finished.returncode == 0, finished.stdout + finished.stderr


# Where a forbidden import is planted, what it imports, and the contract that has to notice.
VIOLATIONS = (
    ("flyte._planted", "flyteplane.foundation", "The SDK never imports the platform"),
    ("flyteplane.admin._planted", "flyte.authoring", "nothing of the SDK but flyte.spec"),
    ("flyte.spec._planted", "flyte.authoring", "flyte.spec needs nothing else"),
    ("flyteplane.cache._planted", "flyteplane.secrets", "independent services"),
    ("flyteplane.foundation._planted", "flyteplane.rpc", "above foundation"),
    ("flyteplane.admin.domain._planted", "flyteplane.admin.store", "Inside a service"),
    ("flyteplane.scheduler.domain._planted", "grpc", "A domain knows no transport"),
    ("flyteplane.scheduler.application._planted", "kubernetes", "Only the cluster kit"),
    ("flyteplane.secrets.application._planted", "sqlalchemy", "stores speak SQL"),
    ("flyteplane.observe._planted", "cloudpickle", "never unpickles"),
    ("flyteplane.reuse_pool.application._planted", "opentelemetry", "OpenTelemetry is loaded"),
    ("flyteplane.console._planted", "flyteplane.records", "The console reaches the platform by rpc alone"),
    ("flyteplane.cluster._planted", "starlette", "Only the console serves pages"),
)


def write_module(root: Path, module: str, *, text: str) -> None:
    """Writes a module and the packages around it below the folder that the real one would be in."""
    parts = module.split(".")
    folder = root / ("services" if parts[0] == "flyteplane" else "sdk")
    for part in parts[:-1]:
        folder /= part
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    (folder / f"{parts[-1]}.py").write_text(text)


@pytest.fixture(scope="module")
def verdict_on_violations(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Returns what import-linter, with our contracts, says of a small project that breaks each of them."""
    root = tmp_path_factory.mktemp("planted")
    shutil.copy(repository / "pyproject.toml", root)
    for package in (repository / "services" / "flyteplane").glob("*/__init__.py"):
        write_module(root, f"flyteplane.{package.parent.name}.empty", text="")
    for module, imported, _ in VIOLATIONS:
        if imported.startswith("flyte"):
            write_module(root, f"{imported}.victim", text="")
        write_module(root, module, text=f"import {imported}\n")
    finished = lint_imports(root)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    return finished.stdout


@pytest.mark.parametrize(("module", "imported", "contract"), VIOLATIONS)
def test_a_planted_violation_breaks_its_contract(
    verdict_on_violations: str, module: str, imported: str, contract: str
) -> None:
    """A contract that nothing can break would be decoration."""
    summary, _, details = verdict_on_violations.partition("Broken contracts")
    assert any(contract in line for line in summary.splitlines() if line.strip().endswith("BROKEN")), summary
    assert f"{module} -> {imported}" in details
