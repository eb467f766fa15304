"""What a Containerfile says for each step of an image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import flyte
from flyte.errors import ImageBuildError
from flyte.images.context import write_context
from flyte.images.recipe import Recipe, recipe_of
from flyte.spec.image import Image
from flyte.spec.image_layers import CopyStyle
from flyte.wire.images import image_to_proto


def base() -> Image:
    """An image that takes steps."""
    return Image.from_base("python:3.11-slim").clone(name="mine", extendable=True)


def lines(image: Image) -> list[str]:
    """The Containerfile after its first line."""
    return made(image).text.splitlines()[1:]


def made(image: Image) -> Recipe:
    """The recipe, with two files of code."""

    def code(copy_style: CopyStyle) -> list[tuple[Path, str]]:
        return [(Path(__file__), f"pkg/{copy_style}.py")]

    return recipe_of(image, code_files=code)


def test_packages_are_installed_with_their_options_and_quoted() -> None:
    image = base().with_pip_packages(
        "numpy>=2", "left; pad", index_url="https://index", extra_index_urls=["https://more"], pre=True
    )
    (line,) = lines(image)
    assert line.startswith("RUN python -m pip install --no-cache-dir")
    assert "--index-url https://index --extra-index-url https://more --pre 'numpy>=2' 'left; pad'" in line


def test_requirements_are_copied_and_installed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy\n")
    recipe = made(base().with_requirements(tmp_path / "requirements.txt"))
    copy, run = recipe.text.splitlines()[1:]
    assert copy == 'COPY ["steps/0/requirements.txt", "/tmp/flyte-requirements/requirements.txt"]'
    assert run.endswith("--requirement /tmp/flyte-requirements/requirements.txt")
    assert recipe.files == ((tmp_path / "requirements.txt", "steps/0/requirements.txt"),)


def test_the_sdk_is_never_installed_from_an_index(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flyte>=2\n flyte[tui]\nflyte\nflyteplugins-x\nnumpy\n")
    (tmp_path / "job.py").write_text("# /// script\n# dependencies = ['Flyte', 'flytekit', 'numpy']\n# ///\n")
    image = base().with_pip_packages("flyte==2.0", "pandas").with_requirements(tmp_path / "requirements.txt")
    pip, _copy, requirements = lines(image)
    assert pip.endswith(" pandas")
    assert "flyte" not in pip
    drop = requirements.removeprefix("RUN ").partition(" && ")[0]
    left = drop.replace("sed -i", "sed").replace("/tmp/flyte-requirements", str(tmp_path))
    assert (
        subprocess.run(left, shell=True, capture_output=True, text=True, check=True).stdout == "flyteplugins-x\nnumpy\n"
    )
    (script,) = (line for line in lines(flyte.Image.from_uv_script(tmp_path / "job.py", name="job")) if "pip" in line)
    assert script.endswith(" flytekit numpy")
    assert list(image_to_proto(image).python_packages) == ["pandas", "flyteplugins-x", "numpy"]


def test_debian_packages_commands_variables_and_folder() -> None:
    image = (
        base()
        .with_apt_packages("git", "curl")
        .with_env_vars({"GREETING": 'say "hi"', "PATH": "/opt/bin:$PATH"})
        .with_workdir("/srv")
        .with_commands(["make", "one\ntwo"])
    )
    apt, greeting, path, folder, make, two = lines(image)
    assert "apt-get install --yes --no-install-recommends git curl && rm -rf /var/lib/apt/lists/*" in apt
    assert greeting == 'ENV GREETING="say \\"hi\\""'
    assert path == 'ENV PATH="/opt/bin:$PATH"'
    assert (folder, make) == ('WORKDIR "/srv"', "RUN make")
    assert two == 'RUN ["/bin/sh", "-c", "one\\ntwo"]'


def test_files_and_folders_come_to_where_they_were_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_text("1\n")
    image = (
        base()
        .with_source_file(folder / "a.csv", "b.csv")
        .with_source_folder(folder, "/srv")
        .with_source_folder(folder, "/srv", copy_contents_only=True)
    )
    recipe = made(image)
    assert recipe.text.splitlines()[1:] == [
        'COPY ["steps/0/a.csv", "b.csv"]',
        'COPY ["steps/1/", "/srv/data/"]',
        'COPY ["steps/2/", "/srv/"]',
    ]
    context = tmp_path / "context"
    context.mkdir()
    file = write_context(recipe, context)
    assert file.read_text() == recipe.text
    assert (context / "steps/1/a.csv").read_text() == "1\n"


def test_a_dockerignore_holds_for_what_is_copied(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("# secrets\n*.key\n!public.key\n/data\n")
    recipe = made(base().with_dockerignore(tmp_path / ".dockerignore"))
    assert recipe.ignored == ("steps/*/*.key", "!steps/*/public.key", "steps/*/data")


def test_the_code_of_the_deployment_is_copied(tmp_path: Path) -> None:
    recipe = made(base().with_code_bundle("all", dst="/code"))
    assert recipe.text.splitlines()[1:] == ['COPY ["steps/0/", "/code/"]']
    assert recipe.files == ((Path(__file__), "steps/0/pkg/all.py"),)


def test_a_secret_is_mounted_for_its_step_alone() -> None:
    secret = flyte.Secret("token", group="git", as_env_var="GIT_TOKEN")
    recipe = made(base().with_pip_packages("mine", secret_mounts=secret).with_commands(["true"]))
    run, after = recipe.text.splitlines()[1:]
    mount = "--mount=type=secret,id=git-token,target=/run/secrets/git-token"
    assert run.startswith(f'RUN {mount} export GIT_TOKEN="$(cat /run/secrets/git-token)" && python -m pip')
    assert after == "RUN true"
    assert recipe.secrets == (("git-token", secret),)


def test_the_default_image_is_changed_as_root_and_runs_as_before() -> None:
    text = made(Image.from_debian_base().with_pip_packages("numpy")).text.splitlines()
    assert (text[1], text[-1]) == ("USER root", "USER 10001:10001")


def test_projects_follow_their_lock_files(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    (tmp_path / "uv.lock").write_text("")
    text = made(base().with_uv_project(tmp_path / "pyproject.toml")).text
    assert "uv export --frozen --no-dev" in text
    assert "--no-deps /tmp/flyte-project-0" not in text
    whole = base().with_uv_project(tmp_path / "pyproject.toml", project_install_mode="install_project")
    assert "--no-deps /tmp/flyte-project-0" in made(whole).text
    assert (
        "poetry install --no-interaction --no-root"
        in made(base().with_poetry_project(tmp_path / "pyproject.toml")).text
    )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (base().with_env_vars({"A": "1\n2"}), "several lines"),
        (base().with_pixi_project(__file__), "pixi"),
    ],
)
def test_what_cannot_be_built_says_what_to_do(image: Image, message: str) -> None:
    with pytest.raises(ImageBuildError, match=message):
        made(image)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        made(base().with_source_file(Path("/nowhere/a.csv")))
