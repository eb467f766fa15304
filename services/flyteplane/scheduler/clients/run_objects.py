"""What attempts of a run wrote into the platform's object store, below `data/<project>/<domain>/<run>/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteplane.objects import remove_below

if TYPE_CHECKING:
    from flyteplane.objects import ObjectStore
    from flyteplane.scheduler.application.ports import RunKey

DATA: Final = "data/"


class RunObjects:
    """Implements `RunData`. What a run wrote elsewhere, as its settings asked for, is not the platform's."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def forget(self, run: RunKey) -> None:
        """See the port."""
        await remove_below(self._objects, f"{DATA}{run}/")
