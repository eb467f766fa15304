"""What has to be there before a task can run in this container: its packages and its code."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyte.runner.pod.bundle import unpack
from flyte.runner.pod.data_client import PASSING, DataClient
from flyte.runner.pod.endings import CannotRun
from flyte.runner.pod.packages import check_packages
from flyteapi.task.v1.task_spec_pb2 import TaskSpec

if TYPE_CHECKING:
    import grpc
else:
    from flyte.runner.pod.late_grpc import grpc

_FIRST_PAUSE_S: Final = 0.1
"""Between two tries, doubled each time up to the longest."""
_LONGEST_PAUSE_S: Final = 2.0
_PATIENCE_S: Final = 300.0
"""For how long the bundle is asked for while no scheduler can give it."""


class Preparation:
    """Makes a task's code ready.

    Args:
        folder: where the bundle is put.
    """

    def __init__(self, client: DataClient, *, folder: Path, rng: random.Random) -> None:
        self._client = client
        self._folder = folder
        self._rng = rng
        self._content = b""

    def has(self, packed: bytes) -> None:
        """The packed bundle of the task came with its first orders; it need not be fetched."""
        self._content = packed

    async def prepare(self, task: TaskSpec) -> str:
        """Returns the folder of the unpacked bundle, "" if the code is part of the image. Raises CannotRun.

        Waits for some minutes for a scheduler that can give the bundle.
        """
        if task.image.python_packages:
            check_packages(task.image.python_packages, image=task.image.uri)
        digest = task.entrypoint.bundle_digest
        if not digest:
            return ""
        packed, content = self._folder / "bundle.tar.gz", self._folder / "code"
        await self._put(digest, packed)
        await asyncio.to_thread(unpack, packed, content, digest=digest)
        packed.unlink()
        return str(content)

    async def _put(self, digest: str, packed: Path) -> None:
        try:
            if self._content:
                packed.write_bytes(self._content)
                self._content = b""
            else:
                await self._fetch(digest, packed)
        except OSError as error:
            message = f"The container's disk cannot take the code bundle: {error}."
            raise CannotRun(message, code="BUNDLE_UNPACKING", recoverable=True) from error

    async def _fetch(self, digest: str, to: Path) -> None:
        pause_s = _FIRST_PAUSE_S
        give_up_at = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            try:
                with to.open("wb") as file:
                    async for piece in self._client.bundle(digest):
                        file.write(piece)
                return
            except (grpc.aio.AioRpcError, TimeoutError) as error:
                if isinstance(error, grpc.aio.AioRpcError) and error.code().name not in PASSING:
                    raise _refusal(digest, error) from error
                if asyncio.get_running_loop().time() > give_up_at:
                    message = f"The code bundle {digest} could not be fetched for {_PATIENCE_S:g} s: {error!r}."
                    raise CannotRun(message, code="BUNDLE_UNREACHABLE", recoverable=True) from error
            await asyncio.sleep(self._rng.uniform(0.5, 1.0) * pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _refusal(digest: str, error: grpc.aio.AioRpcError) -> CannotRun:
    if error.code() is grpc.StatusCode.NOT_FOUND:
        message = f"There is no code bundle {digest}. Submit the run again; the SDK uploads what is missing."
        return CannotRun(message, code="BUNDLE_NOT_FOUND")
    return CannotRun(f"The code bundle {digest} was refused: {error.details()}.", code="BUNDLE_REFUSED")
