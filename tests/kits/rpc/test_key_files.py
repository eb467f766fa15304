"""Key files: made once, whole, closed to others; anything else is refused with a mend."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flyteplane.foundation.errors import FailedPrecondition, PlatformError, Unavailable
from flyteplane.rpc.key_files import KEY_BYTES, create_key_file, ensure_key_file, read_key_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.key"


def test_a_key_is_made_once_and_stays(path: Path) -> None:
    key = ensure_key_file(path)
    assert len(key) == KEY_BYTES
    assert ensure_key_file(path) == key
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_key_is_for_its_owner_only_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        ensure_key_file(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_keys_differ(tmp_path: Path) -> None:
    assert ensure_key_file(tmp_path / "a.key") != ensure_key_file(tmp_path / "b.key")


def test_all_who_make_a_key_at_once_get_the_same(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: ensure_key_file(path), range(16)))
    assert len(keys) == 1
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_an_existing_key_is_not_replaced(path: Path) -> None:
    key = ensure_key_file(path)
    assert not create_key_file(path, key=bytes(KEY_BYTES))
    assert read_key_file(path) == key


def test_what_a_killed_process_left_behind_is_no_key(path: Path) -> None:
    path.with_name(f".{path.name}.0011223344556677").write_bytes(b"half")
    assert len(ensure_key_file(path)) == KEY_BYTES


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o666])
def test_a_key_that_others_may_touch_is_refused(path: Path, mode: int) -> None:
    ensure_key_file(path)
    path.chmod(mode)
    with pytest.raises(FailedPrecondition, match=f"mode {mode:04o}") as caught:
        ensure_key_file(path)
    assert f"chmod 600 {path}" in caught.value.mend


@pytest.mark.parametrize("content", [b"", bytes(KEY_BYTES - 1), bytes(KEY_BYTES + 1)])
def test_a_file_that_holds_no_key_is_refused(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(FailedPrecondition, match="does not hold a key") as caught:
        ensure_key_file(path)
    assert caught.value.reason == "KEY_FILE"


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    ensure_key_file(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="cannot be read"):
        ensure_key_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand a key to somebody")
@pytest.mark.parametrize(("mode", "works"), [(0o440, True), (0o400, True), (0o640, False), (0o444, False)])
def test_a_key_from_a_secret_volume_is_used_as_long_as_only_its_group_may_read_it(
    tmp_path: Path, mode: int, works: bool
) -> None:
    key = ensure_key_file(tmp_path / "made.key")
    volume = tmp_path / "volume"
    (volume / "..2026_11_22").mkdir(parents=True)
    (volume / "..data").symlink_to("..2026_11_22")
    mounted = volume / "..2026_11_22" / "some.key"
    mounted.write_bytes(key)
    mounted.chmod(mode)
    (volume / "some.key").symlink_to("..data/some.key")
    if works:
        assert ensure_key_file(volume / "some.key") == key
    else:
        with pytest.raises(FailedPrecondition, match=f"mode {mode:04o}"):
            ensure_key_file(volume / "some.key")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_plain_file_is_refused(path: Path, make: Callable[..., None]) -> None:
    make(path, mode=0o600)
    with pytest.raises(PlatformError, match="plain file"):
        ensure_key_file(path)


def test_a_missing_folder_is_told(path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be made"):
        ensure_key_file(path.parent / "nowhere" / path.name)


def test_a_missing_key_is_told(path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="does not exist"):
        read_key_file(path)
