"""What operators do: look at keys and at the audit trail, and replace keys."""

from collections.abc import Sequence

from flyteplane.secrets.application.key_inventory import KeyInventory
from flyteplane.secrets.application.ports import AuditTrail
from flyteplane.secrets.application.rewrapping import Rewrapping
from flyteplane.secrets.domain.audit import AuditEntry, AuditFilter


class Operation:
    """The use cases of operators."""

    def __init__(self, *, trail: AuditTrail, inventory: KeyInventory, rewrapping: Rewrapping) -> None:
        self._trail = trail
        self.inventory = inventory
        self.rewrapping = rewrapping

    async def accesses(
        self, matching: AuditFilter, *, before: int | None, limit: int
    ) -> Sequence[tuple[int, AuditEntry]]:
        """Numbered entries of the audit trail, the newest first."""
        return await self._trail.page(limit=limit, before=before, matching=matching)
