"""Which entries of the audit log somebody wants to see."""

from dataclasses import dataclass

from flyteplane.identity.callers import EVERYWHERE, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Empty fields choose everything. Times are microseconds since the epoch."""

    scope: Scope = EVERYWHERE
    subject: str = ""
    after_us: int | None = None
    before_us: int | None = None
