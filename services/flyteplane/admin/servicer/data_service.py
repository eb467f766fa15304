"""DataService: code bundles and input files."""

from collections.abc import AsyncIterator
from typing import Final

from google.protobuf.duration_pb2 import Duration

from flyteapi.admin.v1 import data_service_pb2 as pb
from flyteapi.admin.v1.data_service_pb2_grpc import DataServiceServicer
from flyteplane.admin.application.objects import URL_EXPIRES_IN_S, Objects
from flyteplane.admin.domain.object_name import MIB, Upload, UploadKind
from flyteplane.admin.servicer.context import Context
from flyteplane.foundation.errors import InvalidArgument

_KINDS: Final = {
    pb.OBJECT_KIND_CODE_BUNDLE: UploadKind.CODE_BUNDLE,
    pb.OBJECT_KIND_INPUT_FILE: UploadKind.INPUT_FILE,
}


class DataServicer(DataServiceServicer):
    """See `data_service.proto`."""

    def __init__(self, *, objects: Objects) -> None:
        self._objects = objects

    async def CreateUploadUrl(self, request: pb.CreateUploadUrlRequest, context: Context) -> pb.CreateUploadUrlResponse:
        place = await self._objects.place(_upload(request))
        return pb.CreateUploadUrlResponse(
            exists=place.exists,
            upload_url=place.url,
            uri=place.uri,
            expires_in=_duration(place.expires_in_s) if place.url else None,
            upload_id=place.upload_id,
            folder_uri=place.folder_uri,
            headers={"Content-Type": "application/octet-stream"} if place.upload_id else None,
        )

    async def CompleteUpload(self, request: pb.CompleteUploadRequest, context: Context) -> pb.CompleteUploadResponse:
        uri = await self._objects.complete(_upload(request.object), upload_id=request.upload_id)
        return pb.CompleteUploadResponse(uri=uri)

    async def CreateDownloadUrl(
        self, request: pb.CreateDownloadUrlRequest, context: Context
    ) -> pb.CreateDownloadUrlResponse:
        url = await self._objects.download_url(request.uri)
        return pb.CreateDownloadUrlResponse(download_url=url, expires_in=_duration(URL_EXPIRES_IN_S) if url else None)

    async def UploadObject(
        self, request_iterator: AsyncIterator[pb.UploadObjectRequest], context: Context
    ) -> pb.UploadObjectResponse:
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.HasField("object"):
            raise InvalidArgument(
                "the first message does not name the object", field="object", mend="Send `object` in the first message."
            )
        uri = await self._objects.upload(_upload(first.object), _pieces(first, request_iterator))
        return pb.UploadObjectResponse(uri=uri)

    async def DownloadObject(
        self, request: pb.DownloadObjectRequest, context: Context
    ) -> AsyncIterator[pb.DownloadObjectResponse]:
        async for piece in self._objects.download(request.uri):
            yield pb.DownloadObjectResponse(data=piece)

    async def ListObjects(
        self, request: pb.ListObjectsRequest, context: Context
    ) -> AsyncIterator[pb.ListObjectsResponse]:
        async for found in self._objects.list(request.uri):
            entries = [pb.ObjectEntry(uri=uri, size_bytes=size_bytes) for uri, size_bytes in found]
            yield pb.ListObjectsResponse(entries=entries)

    async def GetStore(self, request: pb.GetStoreRequest, context: Context) -> pb.GetStoreResponse:
        return pb.GetStoreResponse(root=self._objects.root)


def _upload(request: pb.CreateUploadUrlRequest) -> Upload:
    kind = _KINDS.get(request.kind)
    if kind is None:
        raise InvalidArgument("the kind of object is not known", field="kind", mend="Say CODE_BUNDLE or INPUT_FILE.")
    return Upload(
        project=request.project,
        domain=request.domain,
        kind=kind,
        sha256=request.sha256,
        size_bytes=request.size_bytes,
        filename=request.filename,
        folder=request.folder,
    )


async def _pieces(first: pb.UploadObjectRequest, rest: AsyncIterator[pb.UploadObjectRequest]) -> AsyncIterator[bytes]:
    yield _piece(first)
    async for request in rest:
        yield _piece(request)


def _piece(request: pb.UploadObjectRequest) -> bytes:
    if len(request.data) > MIB:
        raise InvalidArgument(
            f"a piece has {len(request.data)} bytes", field="data", limit="1 MiB", mend="Send smaller pieces."
        )
    return request.data


def _duration(seconds: float) -> Duration:
    return Duration(seconds=int(seconds))
