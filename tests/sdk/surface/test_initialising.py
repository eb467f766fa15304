"""`flyte.init` with the options of the peer SDK: kept, harmless, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flyte
import flyte.errors
import flyte.storage
from flyte.client.init import current_settings
from flyte.storage.options import options_for
from flyte.wire.images import image_to_proto


@pytest.mark.parametrize(
    "option",
    [
        {"proxy_command": ["token"]},
        {"client_id": "c"},
        {"client_credentials_secret": "s"},
        {"http_proxy_url": "http://proxy"},
        {"local_tracked": True},
        {"scopes": ["all"]},
    ],
    ids=str,
)
def test_an_option_that_would_be_ignored_is_refused_by_name(option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(option))):
        flyte.init(**option)


def test_names_of_images_are_resolved_when_a_task_is_sent() -> None:
    flyte.init(images={"default": "registry/base:1", "gpu": "registry/gpu:2"})
    assert image_to_proto(flyte.Image.from_ref_name("gpu")).uri == "registry/gpu:2"
    assert image_to_proto("auto").uri == "registry/base:1"
    flyte.init()
    assert image_to_proto("auto").uri == ""
    with pytest.raises(flyte.errors.ImageBuildError, match="'gpu' is a name in the configuration"):
        image_to_proto(flyte.Image.from_ref_name("gpu"))


def test_names_of_images_come_from_a_file_and_from_what_is_given(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("image: {image_refs: {gpu: 'file/gpu:1', cpu: 'file/cpu:1'}}\n")
    flyte.init_from_config(file, images=("gpu=given/gpu:2", "given/default:3"))
    settings = current_settings()
    assert settings is not None
    assert settings.images == {"gpu": "given/gpu:2", "cpu": "file/cpu:1", "default": "given/default:3"}
    with pytest.raises(ValueError, match="names no image"):
        flyte.init_from_config(file, images=("=x",))


def test_a_storage_is_configured_for_this_process() -> None:
    flyte.init(storage=flyte.storage.ABFS(account_name="of-the-test"))
    assert options_for("abfs")["account_name"] == "of-the-test"


def test_a_program_that_never_initialised_has_no_project() -> None:
    assert not flyte.extend.is_initialized()
    for ask, words in ((flyte.current_project, "Project has not been"), (flyte.current_domain, "Domain has not been")):
        with pytest.raises(flyte.errors.InitializationError, match=words):
            ask()
    flyte.init(project="p", domain="d")
    assert flyte.extend.is_initialized()
    assert (flyte.current_project(), flyte.current_domain()) == ("p", "d")
