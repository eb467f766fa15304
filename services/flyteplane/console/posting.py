"""What a browser posts, within bounds.

Files go to disk while they arrive; what a request may hold at once in memory and in open files is bounded, because it
arrives in a process that others need.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from starlette.datastructures import UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

#: A launch form has a few for each row of a list.
_MOST_FIELDS: Final = 5000
#: Bytes of one plain field.
_MOST_FIELD_BYTES: Final = 16 << 20
#: Files of a folder; each may be open at the same time.
MOST_FILES: Final = 500
#: Controls that no file was chosen for; browsers post those as files too.
_MOST_EMPTY: Final = 100
#: Of all files together, which is also what the platform takes as one file.
MOST_GIB: Final = 5
#: Bytes of a file that are kept in memory; larger ones go to disk.
_IN_MEMORY_BYTES: Final = 256 << 10
_OTHER_STORE: Final = "Copy the data to an object store that the tasks can read, and give its address instead."


class _Parser(MultiPartParser):
    spool_max_size = _IN_MEMORY_BYTES


@asynccontextmanager
async def posted_form(request: Request) -> AsyncIterator[FormData]:
    """What was posted; files are gone afterwards. Raises InvalidArgument for too much of anything."""
    _refuse_large(request.headers.get("content-length", ""))
    form = await _read(request)
    try:
        yield form
    finally:
        await form.close()


async def _read(request: Request) -> FormData:
    headers, stream = request.headers, request.stream()
    bounds = {"max_fields": _MOST_FIELDS, "max_part_size": _MOST_FIELD_BYTES}
    with_files = headers.get("content-type", "").startswith("multipart/")
    parser = _Parser(headers, stream, max_files=MOST_FILES + _MOST_EMPTY, **bounds) if with_files else None
    try:
        form = await (parser or FormParser(headers, stream, **bounds)).parse()
    except MultiPartException as error:
        raise _refusal(f"the form could not be read: {error.message}") from None
    files = [item for _, item in form.multi_items() if isinstance(item, UploadFile) and item.filename]
    if len(files) > MOST_FILES:
        await form.close()
        raise _refusal(f"{len(files)} files are posted at once")
    return form


def _refusal(message: str) -> InvalidArgument:
    return InvalidArgument(
        message, reason="FORM", limit=f"{MOST_FILES} files, {_MOST_FIELDS} fields", mend=_OTHER_STORE
    )


def _refuse_large(content_length: str) -> None:
    """Browsers always say how much follows."""
    if not content_length.isdecimal() or int(content_length) > (MOST_GIB << 30) + _MOST_FIELD_BYTES:
        raise InvalidArgument(
            "more is posted than a form may hold, or nobody knows how much",
            reason="FORM_TOO_LARGE",
            limit=f"{MOST_GIB} GiB",
            mend=_OTHER_STORE,
        )
