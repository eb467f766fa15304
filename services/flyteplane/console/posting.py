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
#: Bytes of one plain field, and of all of them, which are in memory together.
_MOST_FIELD_BYTES: Final = 16 << 20
_MOST_TEXT_BYTES: Final = 2 * _MOST_FIELD_BYTES
#: Files of a folder; each may be open at the same time.
MOST_FILES: Final = 500
#: Controls that no file was chosen for; browsers post those as files too.
_MOST_EMPTY: Final = 100
#: Of all files together, which is also what the platform takes as one file.
MOST_GIB: Final = 5
#: Bytes of a file that are kept in memory; larger ones go to disk.
_IN_MEMORY_BYTES: Final = 256 << 10
_OTHER_STORE: Final = "Copy the data to an object store that the tasks can read, and give its address instead."
_SEND_LESS: Final = "Send the form of the page."


class _Parser(MultiPartParser):
    spool_max_size = _IN_MEMORY_BYTES
    text_bytes = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self.text_bytes += end - start
            if self.text_bytes > _MOST_TEXT_BYTES:
                raise MultiPartException(f"its fields have more than {_MOST_TEXT_BYTES >> 20} MiB")
        super().on_part_data(data, start, end)


@asynccontextmanager
async def posted_form(request: Request) -> AsyncIterator[FormData]:
    """What was posted; files are gone afterwards. Raises InvalidArgument for too much of anything."""
    with_files = request.headers.get("content-type", "").startswith("multipart/")
    _refuse_large(request, most_bytes=(MOST_GIB << 30) + _MOST_TEXT_BYTES if with_files else _MOST_TEXT_BYTES)
    form = await _read(request, with_files=with_files)
    try:
        yield form
    finally:
        await form.close()


async def posted_text(request: Request, *, most_bytes: int) -> FormData:
    """What was posted by a form of a few words and no files. Raises InvalidArgument for more than that."""
    _refuse_large(request, most_bytes=most_bytes)
    try:
        return await FormParser(request.headers, request.stream(), max_part_size=most_bytes).parse()
    except MultiPartException as error:
        raise _refusal(f"the form could not be read: {error.message}") from None


async def _read(request: Request, *, with_files: bool) -> FormData:
    headers, stream = request.headers, request.stream()
    # Codecs such as punycode take minutes for what UTF-8 takes a millisecond for; no browser asks for any.
    if with_files and "charset" in headers["content-type"].lower():
        raise _refusal("the form is said to be in an encoding of its own")
    bounds = {"max_fields": _MOST_FIELDS, "max_part_size": _MOST_FIELD_BYTES}
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


def _refuse_large(request: Request, *, most_bytes: int) -> None:
    """Browsers always say how much follows."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > most_bytes:
        large = most_bytes >> 30
        raise InvalidArgument(
            "more is posted than a form may hold, or nobody knows how much",
            reason="FORM_TOO_LARGE",
            limit=f"{MOST_GIB} GiB" if large else f"{most_bytes >> 10} KiB",
            mend=_OTHER_STORE if large else _SEND_LESS,
        )
