"""What the operator lets the cache keep."""

from dataclasses import dataclass
from typing import Final

from flyteplane.foundation.errors import InvalidArgument

#: What the operator may give, by field: the most. 0 is no limit.
_MOST: Final = {"max_bytes": 2**60, "max_entries": 10**12, "max_age_s": 10 * 365 * 24 * 3600.0}
#: What is left after an eviction, as a share of the limit: so that not every store evicts.
KEPT_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """Limits of the whole cache; 0 is no limit. Raises InvalidArgument for a value that is out of bounds."""

    max_bytes: int = 10 << 30
    """Outputs as the cache keeps them; files and frames they refer to lie in the object store and do not count."""
    max_entries: int = 1_000_000
    max_age_s: float = 0.0
    """An older result is not used and goes, whatever its task says."""

    def __post_init__(self) -> None:
        for field, most in _MOST.items():
            value = getattr(self, field)
            if not 0 <= value <= most:
                raise InvalidArgument(
                    f"{value:g} is out of bounds", field=field, limit=f"0 (none) to {most:g}", mend=""
                )

    def age_for(self, asked_s: float | None) -> float | None:
        """The greatest age that counts for whoever asks for `asked_s`."""
        if not self.max_age_s:
            return asked_s
        return self.max_age_s if asked_s is None else min(asked_s, self.max_age_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How much there is."""

    entries: int = 0
    bytes: int = 0

    def plus(self, other: "Totals") -> "Totals":
        """Both together."""
        return Totals(entries=self.entries + other.entries, bytes=self.bytes + other.bytes)

    def minus(self, other: "Totals") -> "Totals":
        """What is left without the other."""
        return Totals(entries=self.entries - other.entries, bytes=self.bytes - other.bytes)


def surplus(have: Totals, limits: CacheLimits) -> Totals:
    """How much has to go: nothing as long as both limits are kept, else enough to be well below them."""
    over_bytes = bool(limits.max_bytes) and have.bytes > limits.max_bytes
    over_entries = bool(limits.max_entries) and have.entries > limits.max_entries
    return Totals(
        entries=have.entries - int(limits.max_entries * KEPT_SHARE) if over_entries else 0,
        bytes=have.bytes - int(limits.max_bytes * KEPT_SHARE) if over_bytes else 0,
    )
