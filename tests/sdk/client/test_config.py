"""Which file holds, what it says, and that the environment wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyte.config import Config, ConfigFile, get_config_file, search_order
from flyte.config.reading import auto, read


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_names_endpoint_project_and_domain(tmp_path: Path) -> None:
    path = write(
        tmp_path / "config.yaml",
        "admin:\n  endpoint: dns:///example.org\n  insecure: true\ntask:\n  project: p\n  domain: d\n",
    )
    config = read(ConfigFile.read(path), environment={})
    assert config.platform.endpoint == "dns:///example.org"
    assert config.platform.insecure is True
    assert (config.task.project, config.task.domain) == ("p", "d")
    assert config.source == path


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "config.yaml", "admin:\n  endpoint: a:1\n")
    config = read(ConfigFile.read(path), environment={"FLYTE_ADMIN_ENDPOINT": "b:2", "FLYTE_ADMIN_INSECURE": "yes"})
    assert (config.platform.endpoint, config.platform.insecure) == ("b:2", True)


def test_without_a_file_nothing_is_set() -> None:
    assert read(None, environment={}) == Config()


def test_a_flag_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"admin\.insecure must be true or false, got 'perhaps'"):
        read(None, environment={"FLYTE_ADMIN_INSECURE": "perhaps"})


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "is not YAML"), ("- 1\n", "must hold sections"), ("admin: 3\n", "Section 'admin'")],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path / "config.yaml", text)
    with pytest.raises(ValueError, match=words) as caught:
        ConfigFile.read(path)
    assert str(path) in str(caught.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        get_config_file(tmp_path / "missing.yaml")


def test_the_folder_comes_before_the_repository_and_the_home(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    here = tmp_path / "a" / "b"
    order = [str(path) for path in search_order(start=here)]
    assert order[:3] == [
        str(here / "config.yaml"),
        str(here / ".flyte" / "config.yaml"),
        str(tmp_path / ".flyte" / "config.yaml"),
    ]
    assert order[-1] == str(Path.home() / ".flyte" / "config.yaml")


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("admin:\n  endpont: x\n", "admin.endpont of configuration file .* Did you mean 'endpoint'"),
        ("admn:\n  endpoint: x\n", "Section 'admn' of configuration file .* Did you mean 'admin'"),
    ],
)
def test_a_slip_of_the_pen_is_refused(tmp_path: Path, text: str, mend: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=mend):
        auto(tmp_path / "config.yaml")


def test_options_of_the_peer_that_mean_nothing_here_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("admin:\n  clientId: q\n  useAuth: true\n  endpoint: h:1\nstorage: {a: 1}\n")
    assert auto(tmp_path / "config.yaml").platform.endpoint == "h:1"
