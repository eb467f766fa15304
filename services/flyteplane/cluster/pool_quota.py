"""How many replicas one pool may have: as many as the quota of its resource class holds.

A replica holds the whole of what its environment asks for as long as it lives, whether or not anything runs on it. So a
pool that could grow beyond the quota is refused where its size is said, and not when its replicas are missed.
"""

from __future__ import annotations

from typing import Protocol

from flyteplane.foundation.errors import InvalidArgument


class Demand(Protocol):
    """What one replica occupies."""

    @property
    def cpu_millis(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...


class Quota(Protocol):
    """The quota of a resource class; 0: no limit."""

    @property
    def name(self) -> str: ...
    @property
    def quota_cpu_millis(self) -> int: ...
    @property
    def quota_memory_bytes(self) -> int: ...


def most_replicas(quota: Quota, demand: Demand) -> int | None:
    """How many replicas of this demand the quota holds; None: any number."""
    shares = [
        most // each
        for most, each in (
            (quota.quota_cpu_millis, demand.cpu_millis),
            (quota.quota_memory_bytes, demand.memory_bytes),
        )
        if most and each
    ]
    return min(shares, default=None)


def refuse_beyond_quota(quota: Quota, demand: Demand, *, replicas: int, field: str) -> None:
    """Raises InvalidArgument (BEYOND_CLASS_QUOTA) if the quota does not hold so many replicas."""
    most = most_replicas(quota, demand)
    if most is None or replicas <= most:
        return
    raise InvalidArgument(
        f"{replicas} replicas with {_describe(demand)} each are more than the quota of resource class "
        f"{quota.name!r} holds",
        reason="BEYOND_CLASS_QUOTA",
        field=field,
        limit=f"{most} replicas",
        mend="Ask for fewer or smaller replicas, or have an operator raise the quota of the class.",
    )


def _describe(demand: Demand) -> str:
    parts = [f"cpu {demand.cpu_millis / 1000:g}"]
    if demand.memory_bytes:
        parts.append(f"memory {demand.memory_bytes / 2**30:.4g} GiB")
    return " and ".join(parts)
