"""The engine, with somebody who looks at each admission."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flyteplane.scheduler.application.engine import Engine

if TYPE_CHECKING:
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.domain.queueing.slots import Slot


class WatchedEngine(Engine):
    """See the module."""

    admitted: Callable[[Action], None] = staticmethod(lambda action: None)

    def _place(self, action: Action, slot: Slot) -> None:
        super()._place(action, slot)
        if action.attempt is not None:
            self.admitted(action)
