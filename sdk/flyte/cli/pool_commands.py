"""`flyte update|drain pool`: what an operator does to pools of warm replicas.

Neither ends anything that runs: replicas that are not wanted any more finish what they have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import rich_click as click
from click import Context, Parameter, ParamType

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_json
from flyte.spec.limits import MAX_REPLICAS
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import Pool


class ReplicasType(ParamType[tuple[int, int]]):
    """N for exactly so many, or MIN,MAX; becomes (min, max)."""

    name = "N|MIN,MAX"

    def convert(self, value: object, param: Parameter | None, ctx: Context | None) -> tuple[int, int]:
        """See click."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not 1 <= len(parts) <= 2 or not all(part.isdecimal() for part in parts):
            self.fail(f"{value!r} is no number of replicas: give N or MIN,MAX, for example 4 or 0,8.", param, ctx)
        least, most = int(parts[0]), int(parts[-1])
        if not 1 <= most <= MAX_REPLICAS:
            self.fail(f"{value!r} is out of bounds: 1 to {MAX_REPLICAS}. `flyte drain pool` lets all go.", param, ctx)
        if least > most:
            self.fail(f"{value!r}: the least ({least}) is above the most ({most}).", param, ctx)
        return least, most


REPLICAS: Final = ReplicasType()


@click.command("pool")
@click.argument("name")
@click.option(
    "--replicas",
    type=REPLICAS,
    required=True,
    help="Replicas while the pool lives: exactly N, or from MIN to MAX by what waits.",
)
@json_option
@click.pass_context
def update_pool(ctx: click.Context, *, name: str, replicas: tuple[int, int], as_json: bool) -> None:
    """Resize the pool NAME (at least its first 8 characters) for as long as it lives.

    Replicas beyond the new most finish what they run. The next pool of the environment has the bounds of its
    ReusePolicy again.
    """
    from flyte.cli.get_pool import SHORT, facts

    root = root_options(ctx)
    root.choose_platform()
    pool = resize(name, replicas)
    if as_json or root.json:
        print_json(facts(pool))
        return
    least, most = pool.policy.min_replicas, pool.policy.max_replicas
    bounds = str(most) if least == most else f"{least} to {most}"
    click.echo(f"Pool {pool.pool[:SHORT]} of {pool.environment} has {bounds} replicas from now on.")


@click.command("pool")
@click.argument("name")
@json_option
@click.pass_context
def drain_pool(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Let the replicas of the pool NAME (at least its first 8 characters) finish what they run, and go.

    What waits, and the next task of the environment, get new replicas.
    """
    from flyte.cli.get_pool import SHORT, facts

    root = root_options(ctx)
    root.choose_platform()
    pool = drain(name)
    if as_json or root.json:
        print_json(facts(pool))
        return
    running = sum(replica.running for replica in pool.replicas)
    words = f"{running} tasks still run, {pool.waiting} wait" if running or pool.waiting else "nothing runs"
    click.echo(f"Pool {pool.pool[:SHORT]} of {pool.environment} lets its replicas go: {words}.")


@syncify
async def resize(name: str, replicas: tuple[int, int]) -> Pool:
    """Change the bounds of a pool and return it as it is then."""
    from flyte.client.channel import connection
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import ResizePoolRequest

    platform = connection()
    request = ResizePoolRequest(pool=name, min_replicas=replicas[0], max_replicas=replicas[1])
    return (await platform.change(platform.pools.ResizePool, request)).pool


@syncify
async def drain(name: str) -> Pool:
    """Drain a pool and return it as it is then."""
    from flyte.client.channel import connection
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DrainPoolRequest

    platform = connection()
    return (await platform.change(platform.pools.DrainPool, DrainPoolRequest(pool=name))).pool
