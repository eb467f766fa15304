"""`flyte.init` with the options of the peer SDK: kept, harmless, or refused."""

from __future__ import annotations

import threading
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from typing import Any

import pytest

import flyte
import flyte.errors
import flyte.storage
from flyte.client.init import current_settings
from flyte.client.source_root import import_folders
from flyte.storage.options import options_for
from flyte.wire.images import image_to_proto


@pytest.mark.parametrize(
    "option",
    [
        {"proxy_command": ["token"]},
        {"client_id": "c"},
        {"client_credentials_secret": "s"},
        {"local_tracked": True},
        {"scopes": ["all"]},
        {"auth_type": "DeviceFlow"},
        {"auth_type": "ExternalCommand"},
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


def test_how_calls_are_made_is_chosen_and_out_of_range_refused() -> None:
    flyte.init(rpc_retries=0, batch_size=7, auth_type="ExternalCommand", command=["token"], headless=True)
    settings = current_settings()
    assert settings is not None
    assert (settings.rpc_retries, settings.batch_size, settings.command) == (0, 7, ("token",))
    flyte.init(rpc_retries=100, batch_size=10**6)
    settings = current_settings()
    assert settings is not None
    assert (settings.rpc_retries, settings.batch_size) == (4, 1000), "gRPC and the platform do no more"
    wrong: tuple[dict[str, Any], ...] = ({"rpc_retries": -1}, {"batch_size": 0}, {"batch_size": "many"})
    for option in wrong:
        with pytest.raises(ValueError, match=next(iter(option))):
            flyte.init(**option)


def test_workers_import_from_the_bundles_root_only_if_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    flyte.init()
    assert import_folders(tmp_path) == ["lib"]
    flyte.init(sync_local_sys_paths=False)
    assert import_folders(tmp_path) == []


def test_a_configuration_is_looked_for_below_the_root_folder_and_its_absence_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "config.yaml").write_text("task: {project: named}\n")
    flyte.init_from_config("../config.yaml", root_dir=tmp_path / "code")
    assert flyte.current_project() == "named"
    monkeypatch.chdir(tmp_path)
    flyte.init_from_config("config.yaml", root_dir=tmp_path / "code", project="given")
    assert flyte.current_project() == "given"
    for error in (flyte.errors.InitializationError, ValueError):
        with pytest.raises(error, match=r"Configuration file nowhere.yaml does not exist"):
            flyte.init_from_config("nowhere.yaml")


def test_a_proxy_is_asked_for_the_way_to_the_platform() -> None:
    asked: list[bytes] = []

    class Proxy(StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with TCPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        flyte.init(
            endpoint="platform.example:443",
            insecure=True,
            http_proxy_url=f"http://127.0.0.1:{server.server_address[1]}",
            rpc_retries=0,
        )
        with pytest.raises(flyte.errors.BaseRuntimeError):
            flyte.remote.User.get()
        server.shutdown()
    assert asked[0] == b"CONNECT platform.example:443 HTTP/1.1\r\n"
