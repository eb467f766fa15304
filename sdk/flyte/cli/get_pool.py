"""`flyte get pool`: warm replicas, what they do, and what waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import age, print_details, print_json, print_table
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import Pool, Replica

SHORT = 12
"""Characters of a pool's name that are shown; any unique beginning of at least 8 names it."""


@click.command("pool")
@click.argument("name", required=False)
@scope_options
@json_option
@click.pass_context
def get_pool(ctx: click.Context, *, name: str | None, project: str | None, domain: str | None, as_json: bool) -> None:
    """List pools of warm replicas, or show the pool NAME (at least its first 8 characters).

    A pool is there while an environment with a ReusePolicy is used. "warm" is how many of its tasks found a slot at
    once, "occupied" how many of its slots are at work.
    """
    root = root_options(ctx)
    root.choose_platform()
    as_json = as_json or root.json
    pools = fetch_pools(name, project=project or "", domain=domain or "")
    shown = [facts(pool) for pool in pools]
    if as_json:
        print_json(shown[0] if name is not None else shown)
    elif name is not None:
        print_details(_details(shown[0]))
    else:
        print_table(
            (
                *("pool", "environment", "scope", "replicas", "occupied", "waiting", "placed", "warm", "memory"),
                *("created", "state"),
            ),
            map(_row, shown),
            empty="No pools. A task in an environment with a ReusePolicy makes one.",
        )


@syncify
async def fetch_pools(name: str | None, *, project: str = "", domain: str = "") -> list[Pool]:
    """Return all pools of a scope, or the one of a name. Empty words stand for all."""
    from flyte.client.channel import connection
    from flyte.client.pages import pages
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import GetPoolRequest, ListPoolsRequest

    platform = connection()
    if name is not None:
        return [(await platform.call(platform.pools.GetPool, GetPoolRequest(pool=name))).pool]
    request = ListPoolsRequest()
    request.scope.project, request.scope.domain = project, domain
    return [pool async for page in pages(platform, platform.pools.ListPools, request) for pool in page.pools]


def _row(pool: dict[str, Any]) -> tuple[Any, ...]:
    overflow = sum(replica["overflow"] for replica in pool["replicas"])
    more = f" + {overflow} overflow" if overflow else ""
    bounds = f"{len(pool['replicas']) - overflow} of {_bounds(pool)}{more}"
    memory = _memory(sum(replica["resident_bytes"] for replica in pool["replicas"]))
    return (
        *(pool["pool"][:SHORT], pool["environment"], f"{pool['project']}/{pool['domain']}", bounds, _occupied(pool)),
        *(pool["waiting"], pool["placed"], _percent(pool["hit_rate"]), memory, age(pool["created"])),
        _in_one_line(_state(pool)),
    )


def _details(pool: dict[str, Any]) -> dict[str, Any]:
    """What is told of one pool; counts of what ought not to happen only where it has."""
    return {
        "pool": pool["pool"],
        "environment": pool["environment"],
        "project": pool["project"],
        "domain": pool["domain"],
        "cluster": pool["cluster"],
        "resource class": pool["resource_class"],
        "created": age(pool["created"]),
        "state": _state(pool),
        "bounds": f"{_bounds(pool)} replicas, {pool['concurrency']} at once on each",
        "occupied": _occupied(pool),
        "running": str(pool["running"]),
        "waiting": str(pool["waiting"]),
        "placed": str(pool["placed"]),
        "found a warm slot": f"{pool['placed_warm']} ({_percent(pool['hit_rate'])})" if pool["placed"] else "",
        "in lent slots": pool["placed_in_lent_slots"] or "",
        "overflow started": pool["overflow_started"] or "",
        "replicas lost": pool["replicas_lost"] or "",
        "replicas": "\n".join(map(_replica_line, pool["replicas"])),
    }


def _replica_line(replica: dict[str, Any]) -> str:
    parts = [
        replica["name"],
        replica["state"] + (" overflow" if replica["overflow"] else ""),
        f"running {replica['running']}",
        *([f"waiting for children {waits}"] if (waits := replica["running"] - replica["at_work"]) > 0 else []),
        f"done {replica['done']}",
        *([_memory(replica["resident_bytes"])] if replica["resident_bytes"] else []),
        *([f"process {replica['pid']}"] if replica["pid"] else []),
        *([f"on {replica['node']}"] if replica["node"] else []),
        f"started {age(replica['started'])}",
    ]
    return "  ".join(parts)


def _bounds(pool: dict[str, Any]) -> str:
    least, most = pool["min_replicas"], pool["max_replicas"]
    return str(most) if least == most else f"{least} to {most}"


def _occupied(pool: dict[str, Any]) -> str:
    return f"{pool['at_work']} of {pool['slots']}"


def _state(pool: dict[str, Any]) -> str:
    state = "draining" if pool["draining"] else ""
    if not pool["trouble"]:
        return state
    again = f" (start {pool['failed_starts']} failed; the next in {pool['start_pause_s']:.0f} s)"
    trouble = pool["trouble"] + (again if pool["start_pause_s"] else "")
    return f"{state}: {trouble}" if state else trouble


def _in_one_line(text: str) -> str:
    """What was last and first said: a traceback begins with what happened and ends with why."""
    first, *others = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    return f"{first}: {others[-1]}" if others else first


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _memory(amount: int) -> str:
    return f"{amount / 2**20:.0f} MiB" if amount else ""


def facts(pool: Pool) -> dict[str, Any]:
    """Return what is known of a pool, for programs."""
    from flyte.remote.action import moment

    return {
        "pool": pool.pool,
        "environment": pool.environment,
        "project": pool.scope.project,
        "domain": pool.scope.domain,
        "cluster": pool.cluster,
        "resource_class": pool.resource_class,
        "created": moment(pool.created_at),
        "min_replicas": pool.policy.min_replicas,
        "max_replicas": pool.policy.max_replicas,
        "concurrency": pool.policy.concurrency,
        "slots": pool.policy.max_replicas * max(1, pool.policy.concurrency),
        "at_work": sum(replica.at_work for replica in pool.replicas),
        "running": sum(replica.running for replica in pool.replicas),
        "waiting": pool.waiting,
        "placed": pool.placed,
        "placed_warm": pool.placed_warm,
        "hit_rate": pool.placed_warm / pool.placed if pool.placed else None,
        "placed_in_lent_slots": pool.placed_in_lent_slots,
        "overflow_started": pool.overflow_started,
        "replicas_lost": pool.replicas_lost,
        "draining": pool.draining,
        "trouble": pool.trouble,
        "failed_starts": pool.failed_starts,
        "start_pause_s": pool.start_pause.ToNanoseconds() / 1e9,
        "replicas": [_replica(replica) for replica in pool.replicas],
    }


def _replica(replica: Replica) -> dict[str, Any]:
    from flyte.remote.action import moment

    return {
        "name": replica.name,
        "state": replica.state,
        "running": replica.running,
        "at_work": replica.at_work,
        "done": replica.done,
        "started": moment(replica.started_at),
        "resident_bytes": replica.resident_bytes,
        "pid": replica.pid,
        "node": replica.node,
        "overflow": replica.overflow,
    }
