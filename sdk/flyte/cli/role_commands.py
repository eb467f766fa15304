"""`flyte create|get|delete role-grant`: what people and groups of an identity provider may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_json, print_table
from flyte.cli.role_options import grant_message, grant_options, grant_words
from flyte.syncify import syncify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteapi.admin.v1.identity_service_pb2 import Grant, ListRoleGrantsResponse


@click.command("role-grant")
@click.argument("subject")
@grant_options
@click.pass_context
def create_role_grant(ctx: click.Context, *, subject: str, role: str, project: str | None, domain: str | None) -> None:
    """Give SUBJECT a role: a person (oidc:alice@example.org) or a group (group:data) of the identity provider."""
    root_options(ctx).choose_platform()
    grant = grant_message(role, project, domain)
    give_role(subject, grant)
    click.echo(f"{subject} is now {grant_words(grant)}.")


@click.command("role-grant")
@click.argument("subject", required=False)
@json_option
@click.pass_context
def get_role_grant(ctx: click.Context, *, subject: str | None, as_json: bool) -> None:
    """List roles of people and groups, or of SUBJECT. Roles of keys are in `flyte get api-key`."""
    root = root_options(ctx)
    root.choose_platform()
    found = [{"subject": one.subject, "role": grant_words(one.grant)} for one in list_roles(subject or "")]
    if as_json or root.json:
        print_json(found)
        return
    print_table(("subject", "role"), ((one["subject"], one["role"]) for one in found), empty="No roles are given.")


@click.command("role-grant")
@click.argument("subject")
@grant_options
@click.pass_context
def delete_role_grant(ctx: click.Context, *, subject: str, role: str, project: str | None, domain: str | None) -> None:
    """Take a role away from SUBJECT, as it was given: same role, same scope."""
    root_options(ctx).choose_platform()
    grant = grant_message(role, project, domain)
    take_role(subject, grant)
    click.echo(f"{subject} is no longer {grant_words(grant)}.")


@syncify
async def give_role(subject: str, grant: Grant) -> None:
    """Give a role."""
    from flyte.client.channel import connection
    from flyteapi.admin.v1.identity_service_pb2 import GrantRoleRequest

    platform = connection()
    await platform.change(platform.identity.GrantRole, GrantRoleRequest(subject=subject, grant=grant))


@syncify
async def take_role(subject: str, grant: Grant) -> None:
    """Take a role away."""
    from flyte.client.channel import connection
    from flyteapi.admin.v1.identity_service_pb2 import RevokeRoleRequest

    platform = connection()
    await platform.change(platform.identity.RevokeRole, RevokeRoleRequest(subject=subject, grant=grant))


@syncify
async def list_roles(subject: str) -> Sequence[ListRoleGrantsResponse.SubjectGrant]:
    """Return the roles that one may see."""
    from flyte.client.channel import connection
    from flyte.client.pages import pages
    from flyteapi.admin.v1.identity_service_pb2 import ListRoleGrantsRequest

    platform = connection()
    listed = pages(platform, platform.identity.ListRoleGrants, ListRoleGrantsRequest(subject=subject))
    return [one async for page in listed for one in page.grants]
