"""The code of a replica's tasks: fetched and unpacked once, for all attempts that need it."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import defaultdict
from itertools import count
from pathlib import Path

from flyte.runner.pod.data_client import DataClient
from flyte.runner.pod.endings import CannotRun
from flyte.runner.pod.packages import check_packages
from flyte.runner.pod.preparation import Preparation
from flyteapi.task.v1.task_spec_pb2 import TaskSpec


class Bundles:
    """Unpacked bundles by digest. Whoever comes first fetches, with rights of its own; the others wait.

    Args:
        folder: where bundles are put.
    """

    def __init__(self, *, folder: Path, rng: random.Random) -> None:
        self._folder = folder
        self._rng = rng
        self._unpacked: dict[str, str] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tries = count(1)

    async def prepare(self, task: TaskSpec, client: DataClient) -> str:
        """Returns the folder of the task's code, "" if it is part of the image. Raises CannotRun.

        What goes wrong, a cancellation included, is the caller's alone: the next one tries for itself.
        """
        digest = task.entrypoint.bundle_digest
        async with self._locks[digest]:
            if (unpacked := self._unpacked.get(digest)) is not None:
                check_packages(task.image.python_packages, image=task.image.uri)
                return unpacked
            # A try that was cancelled may still be writing, so none takes the place of another.
            folder = self._folder / f"code-{next(self._tries)}"
            try:
                folder.mkdir(parents=True)
                unpacked = await Preparation(client, folder=folder, rng=self._rng).prepare(task)
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                message = f"The replica's disk cannot take the code bundle: {error}."
                raise CannotRun(message, code="BUNDLE_UNPACKING", recoverable=True) from error
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._unpacked[digest] = unpacked
            return unpacked
