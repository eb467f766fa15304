"""`flyte get pool`: warm replicas and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import age, print_details, print_json, print_table
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import Pool

SHORT = 12
"""Characters of a pool's name that are shown; any unique beginning of at least 8 names it."""


@click.command("pool")
@click.argument("name", required=False)
@json_option
@click.pass_context
def get_pool(ctx: click.Context, *, name: str | None, as_json: bool) -> None:
    """List pools of warm replicas, or show the pool NAME (at least its first 8 characters)."""
    root = root_options(ctx)
    root.choose_platform()
    as_json = as_json or root.json
    pools = fetch_pools(name)
    if as_json:
        print_json(facts(pools[0]) if name is not None else [facts(pool) for pool in pools])
    elif name is not None:
        _show(pools[0])
    else:
        print_table(
            ("pool", "environment", "scope", "replicas", "running", "waiting", "warm", "state"),
            map(_row, pools),
            empty="No pools. A task in an environment with a ReusePolicy makes one.",
        )


@syncify
async def fetch_pools(name: str | None) -> list[Pool]:
    """Return all pools, or the one of a name."""
    from flyte.client.channel import connection
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import GetPoolRequest, ListPoolsRequest

    platform = connection()
    if name is not None:
        return [(await platform.call(platform.pools.GetPool, GetPoolRequest(pool=name))).pool]
    return list((await platform.call(platform.pools.ListPools, ListPoolsRequest())).pools)


def _row(pool: Pool) -> tuple[Any, ...]:
    running = sum(replica.running for replica in pool.replicas)
    warm = f"{pool.placed_warm / pool.placed:.0%}" if pool.placed else ""
    bounds = f"{len(pool.replicas)} of {pool.policy.min_replicas} to {pool.policy.max_replicas}"
    scope = f"{pool.scope.project}/{pool.scope.domain}"
    state = "draining" if pool.draining else pool.trouble
    return pool.pool[:SHORT], pool.environment, scope, bounds, running, pool.waiting, warm, state


def _show(pool: Pool) -> None:
    shown = facts(pool)
    shown["replicas"] = "\n".join(
        f"{one['name']}  {one['state']}  running {one['running']}  done {one['done']}  since {age(one['started'])}"
        for one in shown["replicas"]
    )
    print_details(shown)


def facts(pool: Pool) -> dict[str, Any]:
    """Return what is known of a pool, for programs."""
    from flyte.remote.action import moment

    return {
        "pool": pool.pool,
        "environment": pool.environment,
        "project": pool.scope.project,
        "domain": pool.scope.domain,
        "min_replicas": pool.policy.min_replicas,
        "max_replicas": pool.policy.max_replicas,
        "concurrency": pool.policy.concurrency,
        "waiting": pool.waiting,
        "placed": pool.placed,
        "placed_warm": pool.placed_warm,
        "draining": pool.draining,
        "trouble": pool.trouble,
        "replicas": [
            {
                "name": replica.name,
                "state": replica.state,
                "running": replica.running,
                "done": replica.done,
                "started": moment(replica.started_at),
                "resident_bytes": replica.resident_bytes,
                "pid": replica.pid,
                "overflow": replica.overflow,
            }
            for replica in pool.replicas
        ],
    }
