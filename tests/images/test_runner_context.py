"""The runner image has what the SDK needs, and is made of what is here."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from deploy.images.build_context import REPOSITORY, RUNNER, SERVICES_ONLY, main, runner_requirements

#: Where a package is imported by another name than it is installed by.
_DISTRIBUTIONS = {"yaml": "pyyaml", "grpc": "grpcio", "google": "protobuf"}


def _dependencies() -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    dependencies: list[str] = project["dependencies"]
    return dependencies


def _imported_by_all(folder: Path) -> set[str]:
    """Packages that modules import when they are imported themselves."""
    found = set()
    for module in folder.rglob("*.py"):
        for statement in ast.parse(module.read_text()).body:
            if isinstance(statement, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in statement.names}
            elif isinstance(statement, ast.ImportFrom) and statement.module:
                found.add(statement.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"flyte", "flyteapi"}


def test_the_image_has_every_package_that_the_sdk_imports() -> None:
    names = {re.split(r"[<>=!~ \[]", requirement)[0].lower() for requirement in runner_requirements(_dependencies())}
    needed = {
        _DISTRIBUTIONS.get(name, name).replace("_", "-") for name in _imported_by_all(REPOSITORY / "sdk" / "flyte")
    }
    assert needed
    assert needed <= names


def test_the_image_has_nothing_that_only_services_need() -> None:
    requirements = " ".join(runner_requirements(_dependencies())).lower()
    assert not [name for name in SERVICES_ONLY if re.search(rf"\b{name}\b(?!-)", requirements)]
    assert "sqlalchemy" in SERVICES_ONLY


def test_the_dockerfile_needs_no_network_and_no_root() -> None:
    dockerfile = (RUNNER / "Dockerfile").read_text()
    assert "--no-index" in dockerfile
    assert "--require-hashes" in dockerfile
    assert re.search(r"^USER \d+", dockerfile, flags=re.MULTILINE)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert (tmp_path / "precious").exists()
