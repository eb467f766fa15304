"""Images that are built and name no registry go to the one of the configuration; all others stay where they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flyte
from flyte import Image
from flyte.client.init import set_settings
from flyte.config import auto
from flyte.wire.images import image_to_proto


@pytest.fixture(autouse=True)
def configured(tmp_path: Path) -> Iterator[None]:
    file = tmp_path / "config.yaml"
    file.write_text("image:\n  registry: r.example/team\n")
    flyte.init_from_config(auto(file))
    yield
    set_settings(None)


def test_what_is_built_is_named_where_it_will_be_pulled() -> None:
    image = Image.from_debian_base().with_pip_packages("numpy")
    placed = f"r.example/team/{image.uri}"
    assert image_to_proto(image).uri == placed
    assert flyte.build(image, dry_run=True).uri == placed
    assert image_to_proto(Image.from_base("busybox").clone(name="n")).uri.startswith("r.example/team/n:")


def test_what_is_pulled_as_it_is_and_what_names_a_registry_is_left_alone() -> None:
    own = Image.from_debian_base(registry="mine.example").with_pip_packages("numpy")
    assert image_to_proto(own).uri == own.uri
    assert image_to_proto(Image.from_base("busybox:1")).uri == "busybox:1"
    assert image_to_proto("busybox:2").uri == "busybox:2"


def test_what_init_is_given_goes_before_the_file() -> None:
    flyte.init(image_registry="other.example")
    assert image_to_proto(Image.from_debian_base().with_pip_packages("numpy")).uri.startswith("other.example/flyte:")
