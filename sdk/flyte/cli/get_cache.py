"""`flyte get cache`: cached results, without their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.cached_results import Chosen, choice_options, list_results
from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import age, print_json, print_table

if TYPE_CHECKING:
    from flyteapi.cache.v1.cache_service_pb2 import CacheEntry


@click.command("cache")
@click.argument("task_name", metavar="[TASK]", default="")
@choice_options
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most results to list.")
@scope_options
@json_option
@click.pass_context
def get_cache(
    ctx: click.Context,
    *,
    task_name: str,
    version: str,
    older_than: str | None,
    shared: bool,
    limit: int,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """List cached results, the newest first, of all tasks or of TASK (environment.function)."""
    root = root_options(ctx)
    chosen = Chosen.of(task_name=task_name, version=version, older_than=older_than, shared=shared)
    root.choose_platform(project=project, domain=domain)
    entries = [facts(entry) for entry in list_results(chosen, limit=limit)]
    if as_json or root.json:
        print_json(entries)
        return
    print_table(
        ("task", "version", "computed by", "bytes", "created", "used"),
        (
            (one["task"], one["version"][:12], one["producer"], one["bytes"], age(one["created"]), age(one["used"]))
            for one in entries
        ),
        empty="No cached results.",
    )


def facts(entry: CacheEntry) -> dict[str, Any]:
    """Return what is known of a cached result, for programs."""
    from flyte.remote.action import moment

    run = entry.producer.run
    return {
        "task": entry.task_name,
        "version": entry.cache_version,
        "key": entry.key.digest.hex(),
        "project": run.project,
        "domain": run.domain,
        "producer": f"{run.name}/{entry.producer.name}",
        "bytes": entry.size_bytes,
        "created": moment(entry.created_at),
        "used": moment(entry.used_at),
    }
