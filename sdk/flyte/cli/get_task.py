"""`flyte get task`: deployed tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import age, print_details, print_json, print_table
from flyte.cli.resolved_settings import resolved_settings, settings_lines

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec


@click.command("task")
@click.argument("name", required=False)
@click.argument("version", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most tasks to list.")
@click.option("--entrypoint", is_flag=True, help="Only tasks that are made with `entrypoint=True`.")
@click.option("--versions", is_flag=True, help="List all versions of NAME.")
@click.option("--explain", is_flag=True, help="Show each resolved setting of NAME and the level that set it.")
@scope_options
@json_option
@click.pass_context
def get_task(
    ctx: click.Context,
    *,
    name: str | None,
    version: str | None,
    limit: int,
    entrypoint: bool,
    versions: bool,
    explain: bool,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """List the newest version of each deployed task, or show the task NAME (its newest version, or VERSION)."""
    from flyte.remote import Task

    if explain and (name is None or versions):
        raise click.UsageError("--explain is about one task: give its NAME, and no --versions.")
    if entrypoint and name is not None:
        raise click.UsageError("--entrypoint is about the list of tasks: leave NAME out.")
    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    as_json = as_json or root.json
    if name is not None and not versions:
        details = Task.get(name, version=version, auto_version=None if version else "latest").fetch()
        shown: dict[str, Any] = {"task": details.name, "version": details.version}
        shown |= {"settings": resolved_settings(details.spec)} if explain else facts(details.spec)
        if as_json:
            print_json(shown)
            return
        if explain:
            shown["settings"] = settings_lines(shown["settings"])
        print_details(shown)
        return
    tasks = list(Task.listall(by_task_name=name, limit=limit, entrypoint=entrypoint or None))
    if as_json:
        print_json([{"task": task.name, "version": task.version, "deployed": task.deployed_at} for task in tasks])
        return
    print_table(
        ("task", "version", "deployed", "inputs"),
        ((task.name, task.version, age(task.deployed_at), _signature(task.message.spec)) for task in tasks),
        empty="No deployed tasks. Deploy some with `flyte deploy FILE`.",
    )


def facts(spec: TaskSpec) -> dict[str, Any]:
    """Return what is known of a task version."""
    resources = spec.resources
    return {
        "signature": _signature(spec),
        "description": spec.short_description,
        "environment": spec.environment,
        "module": f"{spec.entrypoint.module}:{spec.entrypoint.attribute}" if spec.entrypoint.module else "pickled",
        "image": spec.image.uri,
        "cpu": resources.cpu,
        "memory": resources.memory,
        "queue": spec.queue,
        "retries": spec.retries.count,
        "cache": spec.cache.version if spec.cache.enabled else "off",
        "reusable": _replicas(spec),
        "secrets": ", ".join(secret.key for secret in spec.secrets),
    }


def _replicas(spec: TaskSpec) -> str:
    return f"{spec.reuse.min_replicas} to {spec.reuse.max_replicas} replicas" if spec.HasField("reuse") else ""


def _signature(spec: TaskSpec) -> str:
    inputs = ", ".join(
        f"{parameter.name}: {parameter.type_name}{'' if parameter.required else ' = ...'}"
        for parameter in spec.interface.inputs
    )
    outputs = ", ".join(parameter.type_name for parameter in spec.interface.outputs)
    return f"({inputs}) -> {outputs or 'None'}"
