"""`flyte doctor` says of everything whether it works, and what to do about what does not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.telemetry.conftest import Watched

from flyte.cli.diagnosis.machine import look_at_configuration, look_at_disk, look_at_files
from flyte.cli.diagnosis.platform import judge_clock, judge_versions
from flyte.client.settings import ClientSettings

PARTS = ["admin", "scheduler", "cache", "secrets", "reuse pool", "objects"]


def test_a_sound_platform_is_found_sound(watched: Watched, tmp_path: Path) -> None:
    answer = watched.platform.flyte("doctor", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    found = {finding["check"]: finding for finding in json.loads(answer.stdout)}
    expected = ["configuration", "endpoint", "tls", "versions", "identity", "clock", *PARTS, "cluster local"]
    assert {check: found[check]["level"] for check in expected} == dict.fromkeys(expected, "ok")
    assert "platform folder" in found
    assert "disk" in found


def test_people_get_a_line_for_each_and_the_mend_below(watched: Watched, tmp_path: Path) -> None:
    lines = watched.platform.flyte("doctor", cwd=tmp_path).stdout.splitlines()
    assert any(line.startswith("ok    scheduler") for line in lines)


def test_a_platform_that_is_not_there_is_a_failure_with_a_mend(watched: Watched, tmp_path: Path) -> None:
    answer = watched.platform.flyte("--endpoint", f"unix:{tmp_path}/nobody.sock", "doctor", "--json", cwd=tmp_path)
    assert answer.returncode == 1
    failed = [finding for finding in json.loads(answer.stdout) if finding["level"] == "fail"]
    assert [finding["check"] for finding in failed] == ["endpoint"]
    assert "flyte up" in failed[0]["mend"]


def test_without_any_platform_the_mend_is_to_name_one() -> None:
    finding = look_at_configuration(ClientSettings(), source=None)
    assert finding.level == "fail"
    assert "flyte up" in finding.mend


@pytest.mark.parametrize(
    ("own", "platform", "level"),
    [
        ("0.1.0", "0.1.0", "ok"),
        ("0.1.0", "0.2.3", "ok"),
        ("0.3.0", "0.2.3", "warn"),
        ("1.0.0", "0.2.3", "fail"),
        ("0.1.0", "1.0.0rc1", "fail"),
        ("0.1.0", "", "warn"),
    ],
)
def test_versions_fit_when_the_platform_is_not_the_older_one(own: str, platform: str, level: str) -> None:
    finding = judge_versions(own, platform)
    assert finding.level == level
    assert bool(finding.mend) is (level != "ok")


@pytest.mark.parametrize(("skew", "level"), [(0.3, "ok"), (-1.9, "ok"), (5.0, "warn"), (-5.0, "warn"), (-90.0, "fail")])
def test_clocks_that_differ_are_told_before_tokens_are_refused(skew: float, level: str) -> None:
    assert judge_clock(skew).level == level


def test_files_that_others_may_enter_are_named_with_the_command_that_mends_them(tmp_path: Path) -> None:
    platform, config = tmp_path / "platform", tmp_path / "config.yaml"
    (platform / "keys").mkdir(parents=True, mode=0o700)
    config.write_text("admin:\n  apiKey: abc\n")
    key = platform / "keys" / "token.key"
    key.write_text("k")
    for path, mode in ((platform, 0o755), (config, 0o644), (key, 0o640)):
        os.chmod(path, mode)
    findings = list(look_at_files(configuration=config, platform=platform))
    assert [finding.mend for finding in findings] == [
        f"chmod 600 {config}",
        f"chmod 700 {platform}",
        f"chmod 600 {key}",
    ]
    for path, mode in ((platform, 0o700), (config, 0o600), (key, 0o600)):
        os.chmod(path, mode)
    assert {finding.level for finding in look_at_files(configuration=config, platform=platform)} == {"ok"}


def test_the_disk_of_a_folder_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    assert str(tmp_path) in look_at_disk(tmp_path / "later" / "platform").text
