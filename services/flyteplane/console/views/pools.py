"""Pools of warm replicas, with how full they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flyteplane.console.views.amounts import bytes_text, share
from flyteplane.console.views.times import seconds_of

if TYPE_CHECKING:
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import Pool, Replica

SHORT: Final = 12
"""How many characters of a pool's name tell it from others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """A replica."""

    name: str
    state: str
    running: int
    done: str
    memory: str
    where: str
    started_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A pool."""

    name: str
    short: str
    environment: str
    scope: str
    state: str
    bounds: str
    replicas: Sequence[ReplicaView]
    occupied: str
    occupied_share: float | None
    waiting: str
    placed: str
    warm: str
    """Share of attempts that found a warm slot at once; empty before the first."""
    trouble: str
    where: str
    created_at: float | None

    @property
    def key(self) -> str:
        """Names its part of the page."""
        return f"pool-{self.name}"


def pool_view(pool: Pool) -> PoolView:
    """A pool of a message."""
    least, most = pool.policy.min_replicas, pool.policy.max_replicas
    slots = most * max(1, pool.policy.concurrency)
    at_work = sum(replica.at_work for replica in pool.replicas)
    return PoolView(
        name=pool.pool,
        short=pool.pool[:SHORT],
        environment=pool.environment,
        scope=f"{pool.scope.project} / {pool.scope.domain}",
        state="draining" if pool.draining else "trouble" if pool.trouble else "active",
        bounds=f"{len(pool.replicas)} of {most if least == most else f'{least} to {most}'}",
        replicas=[_replica(replica) for replica in pool.replicas],
        occupied=f"{at_work} of {slots}",
        occupied_share=share(at_work, slots),
        waiting=f"{pool.waiting:,}",
        placed=f"{pool.placed:,}",
        warm=f"{pool.placed_warm / pool.placed:.0%}" if pool.placed else "",
        trouble=pool.trouble,
        where=" · ".join(filter(None, (pool.cluster, pool.resource_class))),
        created_at=seconds_of(pool, "created_at"),
    )


def _replica(replica: Replica) -> ReplicaView:
    return ReplicaView(
        name=replica.name,
        state=f"{replica.state}, overflow" if replica.overflow else replica.state,
        running=replica.running,
        done=f"{replica.done:,}",
        memory=bytes_text(replica.resident_bytes),
        where=replica.node or (f"process {replica.pid}" if replica.pid else ""),
        started_at=seconds_of(replica, "started_at"),
    )
