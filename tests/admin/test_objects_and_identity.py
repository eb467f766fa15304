"""Uploads, downloads, who the caller is, and what this build refuses on purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import grpc
import pytest
from tests.admin.conftest import Admin
from tests.admin.refusals import refused

from flyteapi.admin.v1 import data_service_pb2 as pb
from flyteapi.admin.v1 import identity_service_pb2

CONTENT = bytes(range(256)) * 10_000
IN_FOLDER = {"kind": pb.OBJECT_KIND_INPUT_FILE, "filename": "a"}


def announced(content: bytes = CONTENT, **changes: object) -> pb.CreateUploadUrlRequest:
    fields: dict[str, object] = {
        "project": "flytesnacks",
        "domain": "development",
        "kind": pb.OBJECT_KIND_CODE_BUNDLE,
        "sha256": hashlib.sha256(content).digest(),
        "size_bytes": len(content),
    }
    return pb.CreateUploadUrlRequest(**{**fields, **changes})  # type: ignore[arg-type]


def pieces(request: pb.CreateUploadUrlRequest, content: bytes = CONTENT) -> Iterator[pb.UploadObjectRequest]:
    yield pb.UploadObjectRequest(object=request)
    for offset in range(0, len(content), 1 << 20):
        yield pb.UploadObjectRequest(data=content[offset : offset + (1 << 20)])


async def test_a_client_on_this_machine_puts_the_object_itself(admin: Admin) -> None:
    answer = await admin.data.CreateUploadUrl(announced())
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert not answer.exists
    assert answer.upload_url == f"file://{admin.objects.root}/bundles/{digest}.tar.gz"
    path = Path(answer.upload_url.removeprefix("file://"))
    temporary = path.with_name(".tmp-mine")
    temporary.write_bytes(CONTENT)
    temporary.rename(path)
    again = await admin.data.CreateUploadUrl(announced())
    assert (again.exists, again.upload_url, again.uri) == (True, "", answer.uri)


async def test_an_upload_in_pieces_comes_back_whole(admin: Admin) -> None:
    stored = await admin.data.UploadObject(pieces(announced()))
    parts = [part.data async for part in admin.data.DownloadObject(pb.DownloadObjectRequest(uri=stored.uri))]
    assert b"".join(parts) == CONTENT
    assert max(map(len, parts)) <= 1 << 20
    url = await admin.data.CreateDownloadUrl(pb.CreateDownloadUrlRequest(uri=stored.uri))
    assert Path(url.download_url.removeprefix("file://")).read_bytes() == CONTENT
    assert (await admin.data.UploadObject(pieces(announced()))).uri == stored.uri


async def test_an_input_file_keeps_a_safe_form_of_its_name(admin: Admin) -> None:
    request = announced(kind=pb.OBJECT_KIND_INPUT_FILE, filename="../../etc/my data.csv")
    stored = await admin.data.UploadObject(pieces(request))
    assert stored.uri.endswith("/my_data.csv")
    assert ".." not in stored.uri


async def test_files_of_a_folder_keep_their_paths_and_are_never_replaced(admin: Admin) -> None:
    folder = "a-random-id-of-a-folder"
    request = announced(kind=pb.OBJECT_KIND_INPUT_FILE, folder=folder, filename="pictures/Übersicht 1.png")
    place = await admin.data.CreateUploadUrl(request)
    await admin.data.UploadObject(pieces(request))
    root = Path(place.folder_uri.removeprefix("file://"))
    assert (root.name, (root / "pictures" / "Übersicht 1.png").read_bytes()) == (folder, CONTENT)
    # What a client writes itself is at a URL, in which every name is possible.
    odd = announced(kind=pb.OBJECT_KIND_INPUT_FILE, folder=folder, filename="1 #2 100%25?.txt")
    url = (await admin.data.CreateUploadUrl(odd)).upload_url
    assert unquote(urlsplit(url).path) == str(root / odd.filename)
    other = b"something else"
    changed = announced(other, kind=pb.OBJECT_KIND_INPUT_FILE, folder=folder, filename=request.filename)
    await admin.data.UploadObject(pieces(changed, other))
    assert (root / request.filename).read_bytes() == CONTENT
    # A file by itself never lies in a folder, whatever the id of that is.
    alone = await admin.data.CreateUploadUrl(announced(kind=pb.OBJECT_KIND_INPUT_FILE, filename="1.png"))
    digest = announced().sha256.hex()
    beside = announced(kind=pb.OBJECT_KIND_INPUT_FILE, folder=digest, filename="1.png")
    assert (await admin.data.CreateUploadUrl(beside)).uri != alone.uri
    assert alone.folder_uri == ""


async def test_content_that_is_not_what_was_announced_is_not_stored(admin: Admin) -> None:
    wrong = announced(sha256=b"x" * 32)
    with refused(grpc.StatusCode.DATA_LOSS) as refusal:
        await admin.data.UploadObject(pieces(wrong))
    assert refusal.reason == "OBJECT_DIGEST"
    for size in (len(CONTENT) - 1, len(CONTENT) + 1):
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            await admin.data.UploadObject(pieces(announced(size_bytes=size)))
        assert refusal.field == "size_bytes"
    assert not list(admin.objects.root.rglob("*.tar.gz"))
    assert not list(admin.folder.glob("upload-*"))


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"sha256": b"short"}, grpc.StatusCode.INVALID_ARGUMENT, "sha256"),
        ({"size_bytes": 1 << 40}, grpc.StatusCode.INVALID_ARGUMENT, "size_bytes"),
        ({"kind": pb.OBJECT_KIND_UNSPECIFIED}, grpc.StatusCode.INVALID_ARGUMENT, "kind"),
        ({"project": "moon"}, grpc.StatusCode.NOT_FOUND, "project"),
        ({"project": "../x"}, grpc.StatusCode.INVALID_ARGUMENT, "project"),
        ({"folder": "f" * 22}, grpc.StatusCode.INVALID_ARGUMENT, "folder"),  # of a code bundle
        ({"folder": "short", **IN_FOLDER}, grpc.StatusCode.INVALID_ARGUMENT, "folder"),
        *(
            ({"folder": "f" * 22, **IN_FOLDER, "filename": path}, grpc.StatusCode.INVALID_ARGUMENT, "filename")
            for path in ("", "/a", "a//b", "a/../../b", "a\\b", "a\nb", "d/" + "n" * 201)
        ),
    ],
)
async def test_an_upload_that_breaks_a_rule_is_refused(
    admin: Admin, changes: dict[str, Any], code: grpc.StatusCode, field: str
) -> None:
    with refused(code) as refusal:
        await admin.data.CreateUploadUrl(announced(**changes))
    assert refusal.field == field


async def test_an_upload_must_name_its_object_and_keep_to_small_pieces(admin: Admin) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.data.UploadObject(iter([pb.UploadObjectRequest(data=b"x")]))
    assert refusal.field == "object"
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.data.UploadObject(iter([pb.UploadObjectRequest(object=announced(), data=CONTENT[: (1 << 20) + 1])]))
    assert refusal.error.limit == "1 MiB"


@pytest.mark.parametrize(
    "uri",
    ["file:///etc/passwd", "file://{root}/../admin.db", "file://{root}", "s3://bucket/key", "", "file://{root}/no"],
)
async def test_nothing_outside_of_the_store_can_be_had(admin: Admin, uri: str) -> None:
    uri = uri.format(root=admin.objects.root)
    with refused(grpc.StatusCode.NOT_FOUND):
        await admin.data.CreateDownloadUrl(pb.CreateDownloadUrlRequest(uri=uri))
    with refused(grpc.StatusCode.NOT_FOUND):
        async for _ in admin.data.DownloadObject(pb.DownloadObjectRequest(uri=uri)):
            pass


async def test_the_caller_is_the_local_user_and_owns_the_platform(admin: Admin) -> None:
    me = await admin.identity.WhoAmI(identity_service_pb2.WhoAmIRequest())
    assert (me.subject, me.version, me.mode) == ("local:tester", "1.2.3", "embedded")
    assert [grant.role for grant in me.grants] == [identity_service_pb2.ROLE_ADMIN]
