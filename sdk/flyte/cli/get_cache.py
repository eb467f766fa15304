"""`flyte get cache`: cached results, without their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import age, print_json, print_table
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.cache.v1.cache_service_pb2 import CacheEntry


@click.command("cache")
@click.argument("task_name", metavar="[TASK]", default="")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most results to list.")
@scope_options
@json_option
@click.pass_context
def get_cache(
    ctx: click.Context, *, task_name: str, limit: int, project: str | None, domain: str | None, as_json: bool
) -> None:
    """List cached results, the newest first, of all tasks or of TASK (environment.function)."""
    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    entries = [facts(entry) for entry in fetch_entries(task_name, limit=limit)]
    if as_json or root.json:
        print_json(entries)
        return
    print_table(
        ("task", "version", "computed by", "created"),
        ((one["task"], one["version"][:12], one["producer"], age(one["created"])) for one in entries),
        empty="No cached results.",
    )


@syncify
async def fetch_entries(task_name: str, *, limit: int) -> list[CacheEntry]:
    """Return entries of the current project and domain, the newest first."""
    from flyte.client.channel import connection
    from flyte.client.init import current_domain, current_project
    from flyteapi.cache.v1.cache_service_pb2 import ListEntriesRequest
    from flyteapi.common.v1.identity_pb2 import Scope

    platform = connection()
    scope = Scope(project=current_project(), domain=current_domain())
    request = ListEntriesRequest(scope=scope, task_name=task_name, page_size=min(limit, 1000))
    found: list[CacheEntry] = []
    while len(found) < limit:
        page = await platform.call(platform.cache.ListEntries, request)
        found += page.entries
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return found[:limit]


def facts(entry: CacheEntry) -> dict[str, Any]:
    """Return what is known of a cached result, for programs."""
    from flyte.remote.action import moment

    return {
        "task": entry.task_name,
        "version": entry.cache_version,
        "key": entry.key.digest.hex(),
        "producer": f"{entry.producer.run.name}/{entry.producer.name}",
        "created": moment(entry.created_at),
    }
