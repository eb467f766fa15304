"""Which cached results a command is about, and the calls that list and delete them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from flyte.cli.not_readable import NotReadable
from flyte.cli.texts import read_text
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.cache.v1.cache_service_pb2 import CacheEntry

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Results of a scope; all conditions that are given hold together."""

    task_name: str
    version: str
    older_than_s: float | None
    everywhere: bool
    """Those that runs of all projects share, in place of those of the project and domain."""

    @classmethod
    def of(cls, *, task_name: str, version: str, older_than: str | None, shared: bool) -> Chosen:
        """Return what the options say. Raises BadParameter."""
        return cls(task_name=task_name, version=version, older_than_s=_seconds(older_than), everywhere=shared)

    def fields(self) -> dict[str, Any]:
        """Return the conditions as the messages of the cache have them."""
        from google.protobuf.duration_pb2 import Duration

        from flyte.client.init import current_domain, current_project
        from flyteapi.common.v1.identity_pb2 import Scope

        scope = Scope() if self.everywhere else Scope(project=current_project(), domain=current_domain())
        fields: dict[str, Any] = {"scope": scope, "task_name": self.task_name, "cache_version": self.version}
        if self.older_than_s is not None:
            fields["older_than"] = Duration()
            fields["older_than"].FromNanoseconds(int(self.older_than_s * 1e9))
        return fields


def choice_options(command: Command) -> Command:
    """Add what says which results a command is about."""
    command = click.option("--version", default="", help="Only results of this cache version.")(command)
    command = click.option("--older-than", help="Only results older than this, for example 12h or 30d.")(command)
    shared = "The results that runs with the scope global share, in place of those of the project and domain."
    return click.option("--global", "shared", is_flag=True, help=shared)(command)


@syncify
async def list_results(chosen: Chosen, *, limit: int) -> list[CacheEntry]:
    """Return results without their values, the newest first."""
    from flyte.client.channel import connection
    from flyteapi.cache.v1.cache_service_pb2 import ListEntriesRequest

    platform = connection()
    request = ListEntriesRequest(page_size=min(limit, 1000), **chosen.fields())
    found: list[CacheEntry] = []
    while len(found) < limit:
        page = await platform.call(platform.cache.ListEntries, request)
        found += page.entries
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return found[:limit]


@syncify
async def delete_results(chosen: Chosen) -> int:
    """Delete results, and return how many."""
    from flyte.client.channel import connection
    from flyteapi.cache.v1.cache_service_pb2 import InvalidateRequest

    platform = connection()
    return (await platform.change(platform.cache.Invalidate, InvalidateRequest(**chosen.fields()))).deleted


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        span: timedelta = read_text(text, timedelta)
    except NotReadable as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from None
    return span.total_seconds()
