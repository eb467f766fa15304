"""Backups of a platform's folder: whole or not there, closed to others, and refused where there is nothing to keep."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flyteplane.foundation.errors import DataLoss, FailedPrecondition, InvalidArgument, Unavailable
from flyteplane.launcher.__main__ import main
from flyteplane.launcher.backup import back_up
from flyteplane.launcher.service_addresses import FIXED_SERVICES


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    """A folder as a platform that was stopped leaves it."""
    folder = tmp_path / "platform"
    folder.mkdir()
    for service in FIXED_SERVICES:
        with closing(sqlite3.connect(folder / f"{service}.db")) as connection:
            connection.execute("CREATE TABLE kept (service TEXT)")
            connection.execute("INSERT INTO kept VALUES (?)", [service])
            connection.commit()
    for name in ("objects/data/p/o0", "objects/.tmp-half", "objects/a b", "logs/l", "keys/tokens.key", "work/w/f"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "keys" / "tokens.key").chmod(0o600)
    return folder


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_must_last_is_copied_and_nothing_else(
    platform: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", "--data", str(platform), "--to", str(tmp_path / "kept" / "monday")]) == 0
    assert "databases: 5" in capsys.readouterr().out
    made = tmp_path / "kept" / "monday"
    databases = {f"{service}.db" for service in FIXED_SERVICES}
    assert files_in(made) == {*databases, "objects/data/p/o0", "objects/a b", "logs/l", "keys/tokens.key"}
    assert made.stat().st_mode & 0o077 == 0
    assert (made / "keys" / "tokens.key").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(made / "admin.db")) as connection:
        assert connection.execute("SELECT service FROM kept").fetchall() == [("admin",)]


def test_one_that_cannot_be_finished_is_not_there_and_not_in_the_way(platform: Path, tmp_path: Path) -> None:
    whole = (platform / "cache.db").read_bytes()
    (platform / "cache.db").write_bytes(b"no database" * 500)
    with pytest.raises(DataLoss, match=r"cache\.db"):
        back_up(platform, to=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    (platform / "cache.db").write_bytes(whole)
    back_up(platform, to=tmp_path / "kept")
    assert not (tmp_path / "kept.partial").exists()


def test_what_cannot_be_kept_or_where_is_told(
    platform: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FailedPrecondition, match="is there already"):
        back_up(platform, to=tmp_path / "file")
    with pytest.raises(Unavailable, match="cannot be written"):
        back_up(platform, to=tmp_path / "file" / "below")
    (platform / "secrets.db").unlink()
    with pytest.raises(InvalidArgument, match=r"secrets\.db missing"):
        back_up(platform, to=tmp_path / "kept")
    assert main(["backup", "--data", str(tmp_path), "--to", str(tmp_path / "kept")]) == 1
    assert "does not hold the databases of a platform" in capsys.readouterr().err
