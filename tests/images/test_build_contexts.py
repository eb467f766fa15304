"""The images have what is needed in them and nothing else, and are made of what is here."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from deploy.images.build_context import FOLDER, IMAGES, REPOSITORY, SERVICES_ONLY, main, requirements_of

#: Where a package is imported by another name than it is installed by.
_DISTRIBUTIONS = {"yaml": "pyyaml", "grpc": "grpcio", "google": "protobuf"}


def _requirements(image: str) -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return requirements_of(IMAGES[image], project)


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~; \[]", requirement)[0].lower() for requirement in requirements}


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


def test_the_runner_has_every_package_that_the_sdk_imports() -> None:
    needed = {
        _DISTRIBUTIONS.get(name, name).replace("_", "-") for name in _imported_by_all(REPOSITORY / "sdk" / "flyte")
    }
    assert needed
    assert needed <= _names(_requirements("runner"))


def test_the_runner_has_nothing_that_only_services_need() -> None:
    assert not SERVICES_ONLY & _names(_requirements("runner"))
    assert "sqlalchemy" in SERVICES_ONLY


def test_the_services_have_what_they_need_for_every_store_and_exporter() -> None:
    assert _names(_requirements("services")) >= SERVICES_ONLY
    drivers = {"asyncpg", "hvac", "kubernetes", "opentelemetry-sdk", "obstore"}
    assert drivers <= _names(_requirements("services"))
    # What builds, checks and tests has no place in an image.
    assert not {"pytest", "mypy", "moto", "grpcio-tools"} & _names(_requirements("services"))


@pytest.mark.parametrize("image", IMAGES)
def test_the_dockerfile_needs_no_network_and_no_root(image: str) -> None:
    dockerfile = (FOLDER / image / "Dockerfile").read_text()
    assert "--no-index" in dockerfile
    assert "--require-hashes" in dockerfile
    assert re.search(r"^USER \d+", dockerfile, flags=re.MULTILINE)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(SystemExit):
        main(["services", str(tmp_path)])
    assert (tmp_path / "precious").exists()
