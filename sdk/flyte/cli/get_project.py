"""`flyte get project`: projects and their domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_details, print_json, print_table

if TYPE_CHECKING:
    from flyte.remote import Project


@click.command("project")
@click.argument("name", required=False)
@click.option("--archived", is_flag=True, help="List the archived projects instead.")
@json_option
@click.pass_context
def get_project(ctx: click.Context, *, name: str | None, archived: bool, as_json: bool) -> None:
    """List projects, or show the project NAME."""
    from flyte.remote import Project

    root = root_options(ctx)
    root.choose_platform()
    as_json = as_json or root.json
    if name is not None:
        shown = facts(Project.get(name))
        if as_json:
            print_json(shown)
        else:
            print_details({**shown, "domains": ", ".join(shown["domains"])})
        return
    projects = list(Project.listall(archived=archived))
    if as_json:
        print_json([facts(project) for project in projects])
        return
    print_table(
        ("project", "name", "domains", "description"),
        ((project.id, project.name, ", ".join(project.domains), project.description) for project in projects),
        empty="No projects.",
    )


def facts(project: Project) -> dict[str, Any]:
    """Return what is known of a project, for programs."""
    return {
        "project": project.id,
        "name": project.name,
        "description": project.description,
        "domains": list(project.domains),
        "labels": project.labels,
        "archived": project.archived,
    }
