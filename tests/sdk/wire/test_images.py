"""What of an image travels to processes: installations with their options, and steps that only a container can have."""

from __future__ import annotations

from pathlib import Path

import pytest

import flyte
from flyte.spec.image import Image
from flyte.spec.problems import InvalidSetting
from flyte.wire.images import image_to_proto
from flyteapi.task.v1.task_spec_pb2 import PythonInstall

REQUIREMENTS = """\
# from a colleague \\
--index-url https://file.example/simple --pre
--extra-index-url=https://more.example/simple
-f wheels
numpy==2.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via pandas
pandas>=2 ; python_version > "3"  # tables
flyte>=2
"""
UV_LOCK = """\
version = 1
[[package]]
name = "p"
version = "0.1"
source = { virtual = "." }
[[package]]
name = "numpy"
version = "1.26"
source = { registry = "https://pypi.org/simple" }
resolution-markers = ["python_full_version < '3.12'", "sys_platform == 'win32'"]
[[package]]
name = "numpy"
version = "2.0"
source = { registry = "https://pypi.org/simple" }
resolution-markers = ["python_full_version >= '3.12'"]
[[package]]
name = "six"
version = "1.16"
source = { registry = "https://pypi.org/simple" }
"""


def base() -> Image:
    """An image that takes steps."""
    return Image.from_debian_base(name="mine", registry="r")


def steps(image: Image) -> list[str]:
    """What processes would refuse."""
    return list(image_to_proto(image).container_steps)


def test_packages_without_options_travel_as_their_names_alone() -> None:
    message = image_to_proto(base().with_pip_packages("numpy").with_env_vars({"A": "1"}).with_pip_packages("six"))
    assert list(message.python_packages) == ["numpy", "six"]
    assert not message.python_installs
    assert not message.container_steps


def test_options_of_a_step_hold_for_its_packages_alone_and_in_order() -> None:
    image = (
        base()
        .with_pip_packages("first")
        .with_pip_packages("second")
        .with_pip_packages("mine", index_url="https://index", extra_index_urls="https://more", pre=True)
        .with_pip_packages("bare", "flyte", extra_args="--no-deps --find-links '/my wheels'")
        .with_pip_packages("flyte>=2", index_url="https://nothing-is-left-to-install")
        .with_pip_packages("last")
    )
    message = image_to_proto(image)
    assert list(message.python_packages) == ["first", "second", "mine", "bare", "last"]
    assert list(message.python_installs) == [
        PythonInstall(packages=["first", "second"]),
        PythonInstall(
            packages=["mine"],
            options=["--index-url", "https://index", "--extra-index-url", "https://more", "--pre"],
        ),
        PythonInstall(packages=["bare"], options=["--no-deps", "--find-links", "/my wheels"]),
        PythonInstall(packages=["last"]),
    ]


def test_a_requirements_file_is_read_with_its_options_and_hashes(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "requirements.txt").write_text(REQUIREMENTS)
    message = image_to_proto(base().with_requirements(tmp_path / "requirements.txt", index_url="https://step"))
    assert list(message.python_packages) == ["numpy==2.0", 'pandas>=2 ; python_version > "3"']
    (install,) = message.python_installs
    hashed, marked = install.packages
    assert hashed.split() == ["numpy==2.0", "--hash=sha256:aa", "--hash=sha256:bb"]
    assert marked == message.python_packages[1]
    assert list(install.options) == [
        *("--index-url", "https://step", "--index-url", "https://file.example/simple", "--pre"),
        *("--extra-index-url", "https://more.example/simple", "--find-links", str(tmp_path / "wheels")),
    ]
    assert not message.container_steps


def test_what_only_a_container_can_have_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy\n-r more.txt\n--config-settings x=y\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    file = tmp_path / "requirements.txt"
    image = (
        base()
        .with_commands(["make"])
        .with_commands(["make install"])
        .with_source_file(file)
        .with_source_folder(tmp_path)
        .with_workdir("/srv")
        .with_env_vars({"A": "5$ a month", "PATH": "/opt/bin:$PATH"})
        .with_pip_packages("mine", secret_mounts=flyte.Secret("token", as_env_var="TOKEN"))
        .with_requirements(file)
        .with_pixi_project(file)
    )
    assert steps(image) == [
        *("with_commands", "with_source_file", "with_source_folder", "with_workdir"),
        "with_env_vars with a '$' in PATH",
        "with_pip_packages with secret_mounts",
        "with_requirements: '-r more.txt' in requirements.txt",
        "with_requirements: '--config-settings x=y' in requirements.txt",
        "with_pixi_project",
    ]
    assert dict(image_to_proto(image).env) == {"A": "5$ a month"}
    assert steps(Image.from_dockerfile(tmp_path / "Dockerfile", "r", "n")) == ["from_dockerfile"]


def test_what_processes_have_anyway_needs_no_container(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("*.key\n")
    image = base().with_code_bundle().with_dockerignore(tmp_path / ".dockerignore").with_local_v2()
    assert steps(image.with_apt_packages("git").with_env_vars({"A": "1"})) == []
    assert image_to_proto(Image.from_base("python:3.12")) == image_to_proto("python:3.12")


def test_a_lock_file_holds_for_what_is_installed(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "p"\ndependencies = ["numpy", "flyte"]\n')
    (tmp_path / "uv.lock").write_text(UV_LOCK)
    message = image_to_proto(base().with_uv_project(project))
    (install,) = message.python_installs
    assert list(install.packages) == ["numpy"]
    assert list(install.constraints) == [
        "numpy==1.26 ; (python_full_version < '3.12') or (sys_platform == 'win32')",
        "numpy==2.0 ; (python_full_version >= '3.12')",
        "six==1.16",
    ]
    assert not message.container_steps


@pytest.mark.parametrize(
    ("content", "lock", "part"),
    [
        ('[project]\ndependencies = ["a"]\n[tool.uv.sources]\na = { path = "a" }\n', "", "tool.uv.sources"),
        ('[tool.poetry.dependencies]\npython = "^3.11"\na = "^1"\n', "", "tool.poetry.dependencies"),
        (
            "",
            '[[package]]\nname = "a"\nversion = "1"\n[[package]]\nname = "a"\nversion = "2"\n',
            "several versions of a",
        ),
    ],
)
def test_what_only_the_tool_of_a_project_can_keep_is_named(tmp_path: Path, content: str, lock: str, part: str) -> None:
    (tmp_path / "pyproject.toml").write_text(content)
    (tmp_path / "poetry.lock").write_text(lock)
    assert steps(base().with_poetry_project(tmp_path / "pyproject.toml")) == [f"with_poetry_project with {part}"]
    whole = base().with_uv_project(tmp_path / "pyproject.toml", project_install_mode="install_project")
    assert steps(whole)[0] == 'with_uv_project with project_install_mode="install_project"'


def test_options_that_are_no_words_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="cannot be taken apart") as refusal:
        image_to_proto(base().with_pip_packages("six", extra_args="--find-links 'open"))
    assert refusal.value.field == "image"
