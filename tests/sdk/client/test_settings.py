"""Endpoints, the choice of a platform, and the settings of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.client.endpoints import Target, parse_endpoint
from flyte.client.init import current_settings
from flyte.client.patience import LONGEST_PAUSE_S, pause_s
from flyte.client.platform_folder import platform_folder, read_platform
from flyte.client.settings import settings_from_config
from flyte.config import Config, PlatformConfig, TaskConfig


@pytest.mark.parametrize(
    ("endpoint", "insecure", "target"),
    [
        ("unix:/run/p.sock", None, Target("unix:/run/p.sock", secure=False)),
        ("localhost:8080", None, Target("localhost:8080", secure=False)),
        ("127.0.0.1:8080", None, Target("127.0.0.1:8080", secure=False)),
        ("[::1]:8080", None, Target("[::1]:8080", secure=False)),
        ("127.0.0.1:8080", False, Target("127.0.0.1:8080", secure=True)),
        ("flyte.example.org:443", None, Target("flyte.example.org:443", secure=True)),
        ("flyte.example.org:80", True, Target("flyte.example.org:80", secure=False)),
        ("dns:///flyte.example.org:443", None, Target("flyte.example.org:443", secure=True)),
        ("https://flyte.example.org", None, Target("flyte.example.org:443", secure=True)),
        ("http://flyte.example.org", None, Target("flyte.example.org:80", secure=False)),
    ],
)
def test_endpoints_are_read(endpoint: str, insecure: bool | None, target: Target) -> None:
    assert parse_endpoint(endpoint, insecure=insecure) == target


@pytest.mark.parametrize("endpoint", ["", "dns:///", ":80"])
def test_an_endpoint_without_a_host_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="names no host"):
        parse_endpoint(endpoint)


@pytest.mark.parametrize("endpoint", ["localhost:http", "https://host:99999"])
def test_a_port_is_a_number(endpoint: str) -> None:
    with pytest.raises(ValueError, match="no number from 0 to 65535"):
        parse_endpoint(endpoint)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a platform that runs on this machine."""
    monkeypatch.setenv("FLYTE_PLATFORM_DATA", str(tmp_path))
    monkeypatch.delenv("FLYTE_ADMIN_ENDPOINT", raising=False)
    (tmp_path / "platform.json").write_text(json.dumps({"endpoint": "unix:/own.sock", "pid": 7, "version": "1"}))
    return tmp_path


def test_the_platform_of_this_machine_is_found(started: Path) -> None:
    flyte.init()
    settings = current_settings()
    assert settings is not None
    assert settings.endpoint == "unix:/own.sock"
    assert (settings.project, settings.domain) == ("flytesnacks", "development")
    assert flyte.is_control_plane_available()


def test_what_is_given_wins_over_configuration_and_discovery(started: Path) -> None:
    config = Config(platform=PlatformConfig(endpoint="configured:1"), task=TaskConfig(project="p"))
    assert settings_from_config(config).endpoint == "configured:1"
    assert settings_from_config(config, endpoint="given:2", project="q").project == "q"
    assert settings_from_config(config, endpoint="given:2").endpoint == "given:2"
    assert settings_from_config(Config()).endpoint == "unix:/own.sock"


def test_the_environment_names_the_endpoint(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_ADMIN_ENDPOINT", "named:3")
    flyte.init()
    settings = current_settings()
    assert settings is not None
    assert settings.endpoint == "named:3"


def test_without_any_platform_runs_are_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_PLATFORM_DATA", str(tmp_path))
    flyte.init(project="mine", domain="staging")
    assert not flyte.is_control_plane_available()
    assert (flyte.current_project(), flyte.current_domain()) == ("mine", "staging")


def test_init_from_config_reads_the_file(started: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("admin: {endpoint: 'x:1'}\ntask: {project: p, domain: d}\n")
    flyte.init_from_config(file, root_dir=tmp_path)
    settings = current_settings()
    assert settings is not None
    assert (settings.endpoint, settings.project, settings.domain, settings.root_dir) == ("x:1", "p", "d", tmp_path)


async def test_init_is_awaited_as_well(started: Path) -> None:
    await flyte.init.aio(project="async")
    assert flyte.current_project() == "async"


def test_an_api_key_is_needed_to_use_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLYTE_API_KEY", raising=False)
    with pytest.raises(flyte.errors.InitializationError, match="FLYTE_API_KEY"):
        flyte.init_from_api_key()


def test_an_option_that_is_not_kept_is_refused() -> None:
    with pytest.raises(TypeError, match="storage"):
        flyte.init(storage=object())  # type: ignore[arg-type]


def test_a_folder_without_a_readable_state_has_no_platform(tmp_path: Path) -> None:
    assert read_platform(tmp_path) is None
    (tmp_path / "platform.json").write_text("{half")
    assert read_platform(tmp_path) is None
    assert platform_folder(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mode": "bogus"}, "mode must be"),
        ({"mode": "hybrid"}, "hybrid"),
        ({"name": "Not A Name"}, "name"),
        ({"copy_style": "custom"}, "custom"),
        ({"copy_style": "none"}, "Version must be set"),
        ({"env_vars": {"K": 1}}, "K"),
        ({"labels": {"a b": "c"}}, "labels"),
        ({"custom_context": {"a": 1}}, "custom_context"),
        ({"max_action_concurrency": 1}, "max_action_concurrency"),
        ({"run_start_time": 3}, "run_start_time must be a datetime"),
        ({"cache_lookup_scope": "world"}, "cache_lookup_scope"),
        ({"queue": "a", "task_queue": "b"}, "two spellings of one parameter"),
        ({"overwrite_cache": True, "disable_run_cache": True}, "contradict"),
        ({"debug": True}, "debug"),
        ({"bogus": 1}, "unexpected keyword argument 'bogus'"),
    ],
)
def test_settings_that_cannot_be_kept_name_the_parameter(given: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        flyte.with_runcontext(**given)


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause_s(attempt, jitter=1.0) for attempt in range(40)]
    assert pauses[0] < pauses[3] < LONGEST_PAUSE_S
    assert pauses[-1] == LONGEST_PAUSE_S
    assert pause_s(2, jitter=0.0) == pause_s(2, jitter=1.0) / 2
