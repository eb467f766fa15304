"""Files of secrets where nothing can be mounted."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from flyte.runner.secret_files import SecretFiles


def test_files_lie_in_the_private_folder_and_are_told_by_a_variable(tmp_path: Path) -> None:
    files = SecretFiles(str(tmp_path / "private"), may_mount=False)
    variables = files.write({"/etc/flyte/secrets/group/key": b"value"})
    path = Path(variables["FLYTE_SECRETS_DIR"], "group", "key")
    assert path.read_bytes() == b"value"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
    files.close()
    assert not (tmp_path / "private").exists()


def test_a_file_stays_until_the_last_that_asked_is_done(tmp_path: Path) -> None:
    files = SecretFiles(str(tmp_path / "private"), may_mount=False)
    wanted = {"/etc/flyte/secrets/key": b"value"}
    for _attempt in range(2):
        files.write(wanted)
    files.remove(wanted)
    assert (tmp_path / "private" / "key").exists()
    files.remove(wanted)
    assert not (tmp_path / "private" / "key").exists()


def test_a_file_in_memory_is_written_again_while_another_attempt_reads_it(tmp_path: Path) -> None:
    files = SecretFiles(str(tmp_path), may_mount=False, in_memory=True)
    wanted = {"/etc/flyte/secrets/key": b"value"}
    files.write(wanted)
    with (tmp_path / "key").open("rb") as reading:
        files.write(wanted)
        assert reading.read() == b"value"
    assert (tmp_path / "key").read_bytes() == b"value"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o400
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/flyte/secrets/../../passwd", "/etc/flyte/secrets", "key"])
def test_no_file_is_written_elsewhere(tmp_path: Path, path: str) -> None:
    files = SecretFiles(str(tmp_path / "private"), may_mount=False)
    with pytest.raises(ValueError, match="/etc/flyte/secrets"):
        files.write({path: b"value"})


def test_a_folder_that_somebody_else_has_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        SecretFiles(str(tmp_path), may_mount=False).write({"/etc/flyte/secrets/key": b"value"})
