"""An object that stays open until somebody closes it, for programs that hold it longer than a block."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from flyte.io.streams import AsyncStream, open_stream
from flyte.storage.locations import is_remote

if TYPE_CHECKING:
    from types import TracebackType


class OpenedObject(AsyncStream):
    """An open object. Written data is there once it was closed in order; an error in its block leaves nothing."""

    def __init__(self, path: str, mode: str, *, compression: str | None = None) -> None:
        self._stack = ExitStack()
        stream = self._stack.enter_context(open_stream(path, mode, compression=compression))
        super().__init__(stream, in_thread=is_remote(path))

    async def close(self) -> None:
        """Close the object. More than once does nothing."""
        await asyncio.to_thread(self._stack.close)

    async def __aenter__(self) -> OpenedObject:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._stack.__exit__, kind, error, traceback)
