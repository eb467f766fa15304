"""What clients put at signed URLs is looked at before anybody trusts it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.support.s3 import S3Server

from flyteplane.admin.application.objects import Objects, UploadPlace
from flyteplane.admin.domain.object_name import Upload, UploadKind
from flyteplane.admin.domain.project import Project, ProjectChange
from flyteplane.admin.store.addresses import SignedAddresses
from flyteplane.foundation.errors import DataLoss, InvalidArgument, NotFound
from flyteplane.foundation.ids import SystemIds
from flyteplane.foundation.repetition import RequestMark
from flyteplane.objects.s3 import S3ObjectStore

CONTENT = b"content of an input file"


class OneProject:
    """Implements `ProjectStore` with one project that is always there."""

    async def create(self, project: Project, *, request: RequestMark | None = None) -> Project:
        return project

    async def update(
        self, project_id: str, change: ProjectChange, *, now_us: int, request: RequestMark | None = None
    ) -> Project | None:
        return None

    async def get(self, project_id: str) -> Project | None:
        return Project(id=project_id)

    async def list(self, *, include_archived: bool, after: str, limit: int) -> Sequence[Project]:
        return []


@pytest.fixture
def store(s3_server: S3Server, tmp_path: Path) -> Iterator[S3ObjectStore]:
    store = S3ObjectStore(s3_server.settings(f"admin/{tmp_path.name}"))
    yield store
    store.close()


@pytest.fixture
def objects(store: S3ObjectStore, tmp_path: Path) -> Objects:
    return Objects(
        store=store,
        addresses=SignedAddresses(store, root=store.root),
        projects=OneProject(),
        ids=SystemIds(),
        scratch=tmp_path,
    )


def upload(content: bytes = CONTENT) -> Upload:
    return Upload(
        project="flytesnacks",
        domain="development",
        kind=UploadKind.INPUT_FILE,
        sha256=hashlib.sha256(content).digest(),
        size_bytes=len(content),
        filename="data.csv",
    )


def put(place: UploadPlace, content: bytes) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    urlopen(Request(place.url, data=content, headers=headers, method="PUT"), timeout=10).close()


def got(url: str) -> bytes:
    with urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


async def keys(store: S3ObjectStore) -> list[str]:
    return [info.key for info in (await store.list("")).objects]


async def test_what_was_put_becomes_the_object_once_it_is_completed(objects: Objects, store: S3ObjectStore) -> None:
    place = await objects.place(upload())
    put(place, CONTENT)
    assert not (await objects.place(upload())).exists
    uri = await objects.complete(upload(), upload_id=place.upload_id)
    assert uri == place.uri == f"{store.root}{upload().key}"
    assert await keys(store) == [upload().key]
    # Again, as after an answer that was lost.
    assert await objects.complete(upload(), upload_id=place.upload_id) == uri
    again = await objects.place(upload())
    assert (again.exists, again.url, again.upload_id) == (True, "", "")
    assert got(await objects.download_url(uri)) == CONTENT


@pytest.mark.parametrize(
    ("content", "refusal"), [(b"c" * len(CONTENT), DataLoss), (CONTENT + b"!", InvalidArgument), (None, NotFound)]
)
async def test_content_that_is_not_what_was_announced_never_becomes_the_object(
    objects: Objects, store: S3ObjectStore, content: bytes | None, refusal: type[Exception]
) -> None:
    place = await objects.place(upload())
    if content is not None:
        put(place, content)
    with pytest.raises(refusal):
        await objects.complete(upload(), upload_id=place.upload_id)
    assert await keys(store) == []


async def test_a_url_that_is_used_again_changes_nothing_of_the_object(objects: Objects, store: S3ObjectStore) -> None:
    place = await objects.place(upload())
    put(place, CONTENT)
    await objects.complete(upload(), upload_id=place.upload_id)
    put(place, b"something else")
    assert await store.get(upload().key) == CONTENT


@pytest.mark.parametrize("upload_id", ["", "../../bundles/x", "a/b/c/d/e/f/g", "x" * 65])
async def test_what_is_no_id_of_an_upload_is_refused(objects: Objects, upload_id: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await objects.complete(upload(), upload_id=upload_id)
    assert raised.value.field == "upload_id"


async def test_a_folder_is_listed_and_so_is_a_single_object(objects: Objects, store: S3ObjectStore) -> None:
    for key in ("data/p/d/r/a0/1/x/a", "data/p/d/r/a0/1/x/sub/b", "data/p/d/r/a0/1/xy"):
        await store.put(key, b"12")
    root = f"{store.root}data/p/d/r/a0/1/x"
    listed = [entry async for entries in objects.list(root) for entry in entries]
    assert listed == [(f"{root}/a", 2), (f"{root}/sub/b", 2)]
    assert [entry async for entries in objects.list(f"{root}y") for entry in entries] == [(f"{root}y", 2)]
    with pytest.raises(NotFound):
        await anext(aiter(objects.list("s3://another/bucket")))
