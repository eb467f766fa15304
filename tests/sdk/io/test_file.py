"""Files: where they go, what they hash to, how they are read and written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pydantic
import pytest
from tests.sdk.io.running_task import attempt

from flyte.io import DataFrame, Dir, File, HashFunction, HashlibAccumulator
from flyte.io.placement import set_uploads
from flyte.storage.locations import local_path, local_uri
from flyte.types.codecs import codec_for
from flyteapi.task.v1.value_pb2 import Value

CONTENT = b"a,b\n1,2\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "table one.csv"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    return local_uri(tmp_path / "attempt") + "/"


def test_inside_of_a_task_a_local_file_is_copied_below_the_attempt_and_hashed(source: Path, prefix: str) -> None:
    with attempt(prefix):
        file: File[Any] = File.from_local_sync(source)
    assert file.path.startswith(prefix)
    assert (file.name, file.format, file.hash) == ("table one.csv", "", hashlib.sha256(CONTENT).hexdigest())
    source.unlink()
    assert local_path(file.path).read_bytes() == CONTENT


def test_outside_of_a_task_a_local_file_stays_where_it_is(source: Path) -> None:
    file: File[Any] = File.from_local_sync(source)
    assert (file.path, file.hash) == (str(source), None)
    assert file.download_sync() == str(source)


def test_a_file_can_be_sent_to_a_place_of_ones_own(source: Path, tmp_path: Path) -> None:
    file: File[Any] = File.from_local_sync(source, remote_destination=str(tmp_path / "there" / "x.csv"))
    assert file.path == str(tmp_path / "there" / "x.csv")
    assert Path(file.path).read_bytes() == CONTENT
    same: File[Any] = File.from_local_sync(source, remote_destination=str(source))
    assert same.hash == file.hash
    assert source.read_bytes() == CONTENT


def test_the_hash_can_be_given_or_made_another_way(source: Path, prefix: str) -> None:
    with attempt(prefix):
        assert File.from_local_sync(source, hash_method="known").hash == "known"
        method = HashlibAccumulator.from_hash_name("md5")
        assert File.from_local_sync(source, hash_method=method).hash == hashlib.md5(CONTENT).hexdigest()
    assert File.from_local_sync(source, hash_method="known").hash == "known"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a file"):
        File.from_local_sync(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        File[Any](path=str(tmp_path / "missing")).download_sync()


async def test_a_new_file_is_written_and_read_awaited_or_not(prefix: str) -> None:
    with attempt(prefix):
        file: File[Any] = File.new_remote("x.bin")
    assert not await file.exists()
    async with file.open("wb") as sink:
        await sink.write(b"one\n")
        await sink.write(b"two\n")
    assert await file.exists()
    async with file.open() as stream:
        assert await stream.readline() == b"one\n"
        assert [line async for line in stream] == [b"two\n"]
    with file.open_sync("r") as text:
        assert text.read() == "one\ntwo\n"
    with file.open_sync("a") as text:
        text.write("thrée")
    with file.open_sync("r") as text:
        assert text.read().endswith("thrée")


def test_a_new_file_is_hashed_while_it_is_written(prefix: str) -> None:
    with attempt(prefix):
        file: File[Any] = File.new_remote("x", hash_method=HashlibAccumulator.from_hash_name("sha256"))
        known: File[Any] = File.new_remote("x", hash_method="known")
    with file.open_sync("wb") as sink:
        sink.write(CONTENT)
    with known.open_sync("w") as text:
        text.write("a")
    assert (file.hash, known.hash) == (hashlib.sha256(CONTENT).hexdigest(), "known")


@pytest.mark.parametrize(("name", "compression"), [("x.gz", "gzip"), ("x.bz2", "bz2"), ("x.xz", "infer"), ("x", None)])
def test_compressed_files(prefix: str, name: str, compression: str | None) -> None:
    with attempt(prefix):
        file: File[Any] = File.new_remote(name)
    with file.open_sync("w", compression=compression) as sink:
        sink.write("text" * 1000)
    with file.open_sync("r", compression=compression) as stream:
        assert stream.read() == "text" * 1000
    assert (len(local_path(file.path).read_bytes()) < 1000) == (compression is not None)


async def test_text_may_have_another_encoding_and_other_ends_of_lines(prefix: str) -> None:
    with attempt(prefix):
        file: File[Any] = File.new_remote("x")
    with file.open_sync("w", encoding="latin-1", newline="\r\n") as sink:
        sink.write("ä\n")
    async with file.open("r", encoding="ascii", errors="replace", newline="") as stream:
        assert await stream.read() == "\ufffd\r\n"
    assert local_path(file.path).read_bytes() == b"\xe4\r\n"


def test_a_block_that_raises_leaves_no_file(prefix: str) -> None:
    with attempt(prefix):
        file: File[Any] = File.new_remote("x")

    def fail() -> None:
        with file.open_sync("wb") as sink:
            sink.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not file.exists_sync()


def test_two_new_files_of_one_name_do_not_meet_and_a_named_one_is_found_again(prefix: str, tmp_path: Path) -> None:
    base = local_uri(tmp_path / "run")
    with attempt(prefix, run_base_dir=base):
        one, two = File.new_remote("x"), File.new_remote("x")  # type: ignore[var-annotated]
        first: File[Any] = File.named_remote("state.json")
    with attempt(prefix + "next", run_base_dir=base):
        second: File[Any] = File.named_remote("state.json")
    with attempt(prefix + "next", run_base_dir=base, action="other"):
        foreign: File[Any] = File.named_remote("state.json")
    assert one.path != two.path
    assert first.path == second.path
    assert first.path != foreign.path


async def test_a_stored_file_is_downloaded_as_a_copy(source: Path, prefix: str, tmp_path: Path) -> None:
    with attempt(prefix):
        file: File[Any] = await File.from_local(source)
    copy = Path(await file.download())
    copy.write_bytes(b"changed")
    assert local_path(file.path).read_bytes() == CONTENT
    (tmp_path / "folder").mkdir()
    assert await file.download(tmp_path / "folder") == str(tmp_path / "folder" / "table one.csv")
    assert await file.download(tmp_path / "named.csv") == str(tmp_path / "named.csv")


@pytest.mark.parametrize("name", ["../../evil", "/evil", "..", "a/..", "a/evil/"])
def test_the_name_that_somebody_else_chose_leads_out_of_no_folder(source: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    copy = Path(File[Any](path=local_uri(source), name=name).download_sync(folder))
    assert copy in (folder / "evil", folder / "data")
    assert Path(File[Any](path=local_uri(source), name=name).download_sync()).name in ("evil", "data")


def test_an_unknown_mode_or_compression_is_refused(source: Path) -> None:
    file: File[Any] = File.from_existing_remote(str(source))
    with pytest.raises(ValueError, match="mode 'x'"), file.open_sync("x"):
        pass
    with pytest.raises(ValueError, match="compression 'zip'"), file.open_sync("rb", compression="zip"):
        pass


def test_a_file_keeps_name_format_hash_and_size_on_its_way(source: Path, prefix: str) -> None:
    with attempt(prefix):
        file: File[Any] = File.from_local_sync(source)
    message = codec_for(File).encode(file, name="x")
    assert message.reference.size_bytes == len(CONTENT)
    assert codec_for(File).decode(Value.FromString(message.SerializeToString())) == file


class Uploader:
    """A platform that takes whole files only."""

    def __init__(self, prefix: str | None = None) -> None:
        self.taken: list[tuple[bytes, str]] = []
        self._prefix = prefix

    def prefix(self) -> str | None:
        return self._prefix

    def upload_file(self, path: Path, *, name: str) -> str:
        self.taken.append((path.read_bytes(), name))
        return f"s3://platform/{name}"

    def upload_folder(self, path: Path, *, name: str) -> str:
        raise NotImplementedError


def test_with_a_platform_a_local_file_is_brought_to_it(source: Path) -> None:
    platform = Uploader()
    set_uploads(platform)
    try:
        made: File[Any] = File.from_local_sync(source)
        given = codec_for(File).encode(File(path=str(source)), name="x").reference
    finally:
        set_uploads(None)
    assert (made.path, made.hash) == ("s3://platform/table one.csv", hashlib.sha256(CONTENT).hexdigest())
    assert given.uri == "s3://platform/table one.csv"
    assert platform.taken == [(CONTENT, "table one.csv")] * 2


def test_with_a_platform_on_this_machine_files_are_written_below_its_prefix(source: Path, tmp_path: Path) -> None:
    set_uploads(Uploader(local_uri(tmp_path / "platform")))
    try:
        made: File[Any] = File.from_local_sync(source)
        given = codec_for(File).encode(File(path=str(source)), name="x").reference
    finally:
        set_uploads(None)
    assert made.path.startswith(local_uri(tmp_path / "platform"))
    assert given.uri == str(source)


@dataclass
class Report:
    table: File[Any]
    plots: Dir[Any] | None = None


class Model(pydantic.BaseModel):
    table: File  # type: ignore[type-arg]
    plots: Dir[Any] | None = None
    rows: DataFrame = None  # type: ignore[assignment]  # as people write it


def test_files_are_fields_of_dataclasses_and_pydantic_models() -> None:
    file, folder = File[Any](path="s3://a/b", hash="h"), Dir[Any](path="s3://a/c")
    for annotation, value in ((Report, Report(file, folder)), (Model, Model(table=file, plots=folder))):
        codec = codec_for(annotation)
        assert codec.decode(codec.encode(value, name="x")) == value
    model = Model.model_validate({"table": {"path": "s3://a/b", "hash": "h"}, "plots": "s3://a/c"})
    assert model == Model(table=file, plots=folder)
    assert Model.model_validate_json(model.model_dump_json(exclude_none=True)) == model
    assert model.model_dump()["rows"] is None
    assert Model.model_json_schema()["properties"]["table"]["required"] == ["path"]
    for wrong in (3, {"path": None}):
        with pytest.raises(pydantic.ValidationError):
            Model.model_validate({"table": wrong})


def test_a_file_outside_of_a_task_has_a_place_on_this_machine() -> None:
    file: File[Any] = File.new_remote("x.txt")
    assert file.path.startswith("file:///")
    with file.open_sync("w") as sink:
        sink.write("a")
    assert file.exists_sync()
    local_path(file.path).unlink()
    local_path(file.path).parent.rmdir()


def test_a_file_that_stays_in_place_is_another_input_once_its_content_changes(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    hashes = set()
    for text in ("1", "2", "1"):
        path.write_text(text)
        hashes |= {codec_for(File).encode(File.from_local_sync(path), name="x").reference.hash}
        hashes |= {codec_for(File).encode(File(path=str(path)), name="x").reference.hash}
    assert len(hashes) == 2
    assert codec_for(File).encode(File(path=str(tmp_path / "gone")), name="x").reference.hash == ""


def test_references_have_the_methods_of_the_models_that_they_are_in_the_peer_sdk(tmp_path: Path) -> None:
    kinds: tuple[Any, ...] = (File, Dir)
    for kind in kinds:
        reference = kind.from_existing_remote(f"s3://bucket/{kind.__name__}")
        assert kind.model_validate(reference.model_dump()) == reference
        assert kind.model_validate_json(reference.model_dump_json()) == reference
        assert reference.model_copy(update={"hash": "h"}).hash == "h"
        assert kind.model_construct(path=reference.path) == reference
        assert kind.model_json_schema()["properties"].keys() == reference.model_dump().keys()
        assert "hash" not in reference.model_dump(exclude_none=True)
        assert list(reference.model_dump(include={"path"})) == ["path"]
        with pytest.raises(ValueError, match="needs the field 'path'"):
            kind.model_validate({"name": "x"})
        with pytest.raises(ValueError, match="Expected a"):
            kind.model_validate(5)


def test_an_annotation_says_which_files_and_folders_are_the_same_input(source: Path) -> None:
    by_name = HashFunction.from_fn(lambda reference: f"called {reference.name}")
    annotated: Any = Annotated[File, by_name]
    assert codec_for(annotated).encode(File(path=str(source)), name="x").reference.hash == f"called {source.name}"
    folder: Any = Annotated[Dir, by_name]
    given = codec_for(folder).encode(Dir(path=str(source.parent)), name="x").reference
    assert given.hash == f"called {source.parent.name}"
