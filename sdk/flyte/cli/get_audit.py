"""`flyte get audit`: who changed what, and who was refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import rich_click as click

from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import print_json, print_table
from flyte.cli.role_options import SPAN
from flyte.syncify import syncify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteapi.admin.v1.identity_service_pb2 import ListAuditEntriesRequest, ListAuditEntriesResponse

_LARGEST_PAGE = 1000


@click.command("audit")
@click.option("--by", default="", help="Only calls of this subject, such as key:laptop.")
@click.option("--since", type=SPAN, help="Only the last while, such as 12h or 7d.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Most entries to list.")
@scope_options
@json_option
@click.pass_context
def get_audit(
    ctx: click.Context,
    *,
    by: str,
    since: timedelta | None,
    limit: int,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """List calls that changed something or were refused, the newest first. For the role admin."""
    root = root_options(ctx)
    root.choose_platform()
    found = [
        {
            "time": entry.time.ToDatetime(UTC),
            "subject": entry.subject,
            "call": entry.method.rpartition("/")[2],
            "status": entry.status,
            "target": entry.target,
            "method": entry.method,
        }
        for entry in list_entries(by=by, since=since, limit=limit, project=project or "", domain=domain or "")
    ]
    if as_json or root.json:
        print_json(found)
        return
    shown = ("subject", "call", "status", "target")
    print_table(
        ("time", *shown),
        ((f"{entry['time']:%Y-%m-%d %H:%M:%S}", *(entry[name] for name in shown)) for entry in found),
        empty="Nothing was changed or refused.",
    )


@syncify
async def list_entries(
    *, by: str, since: timedelta | None, limit: int, project: str, domain: str
) -> Sequence[ListAuditEntriesResponse.AuditEntry]:
    """Return entries of the audit log, the newest first."""
    from flyteapi.admin.v1.identity_service_pb2 import ListAuditEntriesRequest
    from flyteapi.common.v1.identity_pb2 import Scope

    request = ListAuditEntriesRequest(subject=by, scope=Scope(project=project, domain=domain))
    if since is not None:
        request.after.FromDatetime(datetime.now(UTC) - since)
    return await _pages(request, limit)


async def _pages(request: ListAuditEntriesRequest, limit: int) -> Sequence[ListAuditEntriesResponse.AuditEntry]:
    from flyte.client.channel import connection

    platform = connection()
    found: list[ListAuditEntriesResponse.AuditEntry] = []
    while len(found) < limit:
        request.page_size = min(limit - len(found), _LARGEST_PAGE)
        page = await platform.call(platform.identity.ListAuditEntries, request)
        found += page.entries
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    return found
