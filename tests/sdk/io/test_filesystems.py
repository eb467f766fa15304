"""Stores as file systems of fsspec."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from flyte import storage


def test_a_file_system_of_this_machine_is_that_of_fsspec(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    files = storage.get_underlying_filesystem(path=str(tmp_path))
    with files.open(str(tmp_path / "new" / "x"), "w") as sink:
        sink.write("hello")
    assert (tmp_path / "new" / "x").read_text() == "hello"
    assert storage.get_underlying_filesystem("memory").protocol == "memory"


def test_an_object_store_is_reached_as_this_process_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    monkeypatch.setenv("FLYTE_AWS_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("FLYTE_AWS_ACCESS_KEY_ID", "me")
    found = storage.get_configured_fsspec_kwargs("s3")
    assert (found["endpoint"], found["access_key_id"]) == ("http://127.0.0.1:1", "me")
    public = storage.get_configured_fsspec_kwargs("s3", anonymous=True)
    assert public["skip_signature"]
    assert "access_key_id" not in public
    assert type(storage.get_underlying_filesystem(path="s3://bucket/key", region="eu")).__name__ == "FsspecStore"


def test_the_options_of_a_store_say_how_often_it_is_tried_again() -> None:
    assert storage.S3.for_sandbox().get_fsspec_kwargs(region="x")["region"] == "x"
    assert "retry_config" not in storage.GCS().get_fsspec_kwargs()
    retries = storage.GCS(retries=7, backoff=timedelta(seconds=2)).get_fsspec_kwargs()["retry_config"]
    assert (retries["max_retries"], retries["backoff"]["max_backoff"]) == (7, timedelta(seconds=2))


def test_a_missing_fsspec_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match="pip install fsspec"):
        storage.get_underlying_filesystem("file")
