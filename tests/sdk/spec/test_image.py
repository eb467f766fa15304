"""Images: immutable, named by the digest of what is in them."""

import copy
import pickle
from pathlib import Path
from typing import Any, cast

import pytest

from flyte.errors import ImageBuildError
from flyte.spec.image import Image
from flyte.spec.problems import InvalidSetting, InvalidSettingType


def debian() -> Image:
    return Image.from_debian_base(python_version=(3, 12))


def test_equal_descriptions_have_one_uri_and_different_ones_do_not() -> None:
    one, same = debian().with_pip_packages("numpy"), debian().with_pip_packages("numpy")
    assert one == same
    assert one.uri == same.uri
    assert hash(one) == hash(same)
    others = [
        debian().with_pip_packages("numpy", pre=True),
        debian().with_pip_packages("numpy", "scipy"),
        debian().with_apt_packages("numpy"),
        Image.from_debian_base(python_version=(3, 11)).with_pip_packages("numpy"),
        debian().with_pip_packages("numpy").clone(platform="linux/arm64"),
    ]
    assert len({one.uri, *(other.uri for other in others)}) == len(others) + 1


def test_adding_a_step_leaves_the_image_as_it_was() -> None:
    base = debian()
    uri = base.uri
    base.with_commands(["ls"])
    assert base.uri == uri
    assert base.layers == ()


def test_a_changed_requirements_file_makes_another_image(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("numpy\n")
    first = debian().with_requirements(file).uri
    file.write_text("numpy\nscipy\n")
    assert debian().with_requirements(file).uri != first


def test_a_changed_file_deep_in_a_folder_makes_another_image(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.py").write_text("1")
    (folder / "__pycache__").mkdir()
    first = debian().with_source_folder(folder).uri
    (folder / "__pycache__" / "a.pyc").write_text("changed")
    assert debian().with_source_folder(folder).uri == first
    (folder / "deep" / "a.py").write_text("2")
    assert debian().with_source_folder(folder).uri != first


def test_the_uri_does_not_depend_on_where_the_files_lie(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.txt").write_text("numpy\n")
    uris = {debian().with_requirements(tmp_path / name / "requirements.txt").uri for name in ("here", "there")}
    assert len(uris) == 1


def test_requirements_must_be_a_text_file() -> None:
    with pytest.raises(ValueError, match=r"must have a \.txt extension"):
        debian().with_requirements("requirements.lock")


def test_a_lock_file_beside_the_project_is_found(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    without = debian().with_uv_project(tmp_path / "pyproject.toml").uri
    (tmp_path / "uv.lock").write_text("version = 1\n")
    assert debian().with_uv_project(tmp_path / "pyproject.toml").uri != without


@pytest.mark.parametrize("variables", [["A=1"], {"A": 1}, {1: "a"}])
def test_variables_of_an_image_are_texts_by_name(variables: Any) -> None:
    with pytest.raises(TypeError):
        debian().with_env_vars(variables)


def test_a_clone_adds_a_layer_and_nothing_else() -> None:
    with pytest.raises(TypeError, match="addl_layer"):
        debian().clone(addl_layer="numpy")  # type: ignore[arg-type]  # what is refused


def test_every_builder_method_gives_an_image_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("# /// script\n# dependencies = ['numpy']\n# ///\n")
    images = [
        debian().with_workdir("/x"),
        debian().with_env_vars({"A": "1"}),
        debian().with_source_file(script),
        debian().with_source_file([script, script]),
        debian().with_code_bundle("all"),
        debian().with_dockerignore(script),
        debian().with_local_v2(),
        debian().with_poetry_project(script),
        debian().with_pixi_project(script),
        Image.from_uv_script(script, name="s", registry="r.io"),
        Image.from_pixi_script(script, name="p"),
        Image.from_dockerfile(script, registry="r.io", name="d"),
    ]
    assert len({image.uri for image in images}) == len(images)
    assert all(image.needs_build for image in images)
    assert images[9].uri.startswith("r.io/s:")


def test_a_bare_base_is_pulled_and_not_built() -> None:
    assert not Image.from_base("python:3.12").needs_build
    assert not debian().needs_build
    assert Image.from_debian_base(python_version=(3, 12), install_flyte=False).uri == "python:3.12-slim-bookworm"


def test_a_finished_image_takes_no_steps_unless_it_is_cloned_extendable() -> None:
    with pytest.raises(InvalidSetting, match="extendable=True"):
        Image.from_base("python:3.12").with_pip_packages("numpy")
    extendable = Image.from_base("python:3.12").clone(name="x", extendable=True)
    assert extendable.with_pip_packages("numpy").uri.startswith("x:")


def test_a_name_of_the_configuration_has_no_uri_before_it_is_resolved() -> None:
    with pytest.raises(ImageBuildError, match="gpu"):
        _ = Image.from_ref_name("gpu").uri
    assert (Image.from_ref_name("gpu").name, Image.from_ref_name("gpu").needs_build) == ("gpu", False)


def test_images_can_be_copied_and_pickled() -> None:
    image = debian().with_pip_packages("numpy", secret_mounts="token")
    assert copy.deepcopy(image) == image
    assert pickle.loads(pickle.dumps(image)).uri == image.uri


def test_a_missing_file_is_found_when_the_uri_is_asked_for() -> None:
    image = Image.from_dockerfile(Path("/nowhere/Dockerfile"), registry="r", name="n")
    with pytest.raises(FileNotFoundError):
        image.validate()


def test_the_simplest_images_have_the_names_that_the_peer_sdk_gives_them() -> None:
    base = Image.from_base("python:3.12").clone(registry="r", name="x", extendable=True)
    assert base.uri == "r/x:c3c239aff814f68d60bbfbb16fbe672d"
    assert base.with_pip_packages("numpy").uri == "r/x:f8dcba31d8807f73d13edfe5bf1db95b"
    apart = [
        base.with_pip_packages("numpy", "scipy"),
        base.with_pip_packages("num", "pyscipy"),
        base.with_pip_packages("numpy").with_pip_packages("scipy"),
        base.with_pip_packages("numpyscipy"),
    ]
    assert len({image.uri for image in apart}) == len(apart)


@pytest.mark.parametrize("given", [{}, {"install_flyte": False}, {"flyte_version": "9.9"}])
def test_a_clone_with_another_python_starts_with_the_base_that_has_it(given: dict[str, Any]) -> None:
    clone = Image.from_debian_base(python_version=(3, 12), **given).clone(python_version=(3, 11))
    assert clone == Image.from_debian_base(python_version=(3, 11), **given)
    assert Image.from_base("mine:1").clone(python_version=(3, 11)).base_image == "mine:1"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: debian().with_commands(cast(Any, "ls -l")), "Expected commands to be of type List"),
        (lambda: debian().with_workdir(cast(Any, 3)), "field 'workdir' contains a int"),
        (lambda: debian().with_code_bundle(cast(Any, "none")), "Invalid copy_style: 'none'"),
        (
            lambda: debian().with_uv_project("p.toml", project_install_mode=cast(Any, "x")),
            "Invalid project_install_mode",
        ),
        (lambda: debian().with_pixi_project("p.toml", project_install_mode=cast(Any, "x")), "Must be one of"),
        (lambda: debian().clone(platform=cast(Any, "linux")), "Invalid platform: 'linux'"),
        (lambda: Image.from_debian_base(python_version=cast(Any, "3.12")), "Expected python_version to be a pair"),
    ],
)
def test_a_step_that_no_builder_could_carry_out_is_refused_where_it_is_written(make: Any, words: str) -> None:
    with pytest.raises((InvalidSetting, InvalidSettingType), match=words):
        make()


def test_one_platform_is_as_good_as_a_pair_of_one() -> None:
    one = Image.from_debian_base(python_version=(3, 12), platform=cast(Any, "linux/arm64"))
    assert one.platform == ("linux/arm64",)
    assert one.with_pip_packages("x").uri == debian().clone(platform="linux/arm64").with_pip_packages("x").uri
