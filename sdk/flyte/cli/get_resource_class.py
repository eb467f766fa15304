"""`flyte get resource-class`: the shapes that there are, and what each has in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_details, print_json, print_table
from flyte.cli.quantity_types import memory_text
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass


@click.command("resource-class")
@click.argument("name", required=False)
@json_option
@click.pass_context
def get_resource_class(ctx: click.Context, *, name: str | None, as_json: bool) -> None:
    """List resource classes, smallest first, or show the class NAME."""
    root = root_options(ctx)
    root.choose_platform()
    as_json = as_json or root.json
    classes = fetch_classes(name)
    if as_json:
        print_json(facts(classes[0]) if name is not None else [facts(shape) for shape in classes])
    elif name is not None:
        print_details(_details(classes[0]))
    else:
        print_table(
            ("class", "cpu", "memory", "accelerators", "running", "cpu in use", "memory in use", "clusters", "kept in"),
            map(_row, classes),
            empty="No resource classes.",
        )


@syncify
async def fetch_classes(name: str | None) -> list[ResourceClass]:
    """Return all classes, or the one of a name."""
    from flyte.client.channel import connection
    from flyte.client.pages import pages
    from flyteapi.scheduler.v1 import resource_class_service_pb2 as api

    platform = connection()
    if name is not None:
        request = api.GetResourceClassRequest(name=name)
        return [(await platform.call(platform.resource_classes.GetResourceClass, request)).resource_class]
    listed = pages(platform, platform.resource_classes.ListResourceClasses, api.ListResourceClassesRequest())
    return [shape async for page in listed for shape in page.resource_classes]


def facts(shape: ResourceClass) -> dict[str, Any]:
    """Return what is known of a class, for programs."""
    return {
        "resource_class": shape.name,
        "cpu_millis": shape.max_cpu_millis,
        "memory_bytes": shape.max_memory_bytes,
        "accelerators": dict(shape.max_accelerators),
        "clusters": list(shape.clusters) or ["*"],
        "quota_cpu_millis": shape.quota_cpu_millis,
        "quota_memory_bytes": shape.quota_memory_bytes,
        "node_selector": dict(shape.node_selector),
        "tolerations": json.loads(shape.tolerations_json or "[]"),
        "priority_class": shape.priority_class,
        "allow_host_paths": shape.allow_host_paths,
        "allow_privileged": shape.allow_privileged,
        "allow_service_account_token": shape.allow_service_account_token,
        "service_accounts": list(shape.service_accounts),
        "running": shape.running,
        "used_cpu_millis": shape.used_cpu_millis,
        "used_memory_bytes": shape.used_memory_bytes,
        "from_file": shape.from_file,
        "built_in": shape.built_in,
    }


def _row(shape: ResourceClass) -> tuple[Any, ...]:
    size = (_cpu(shape.max_cpu_millis), _memory(shape.max_memory_bytes), _accelerators(shape))
    return (
        *(shape.name, *size, shape.running),
        *(_cpu_in_use(shape), _memory_in_use(shape)),
        *(", ".join(shape.clusters) or "*", _kept_in(shape)),
    )


def _details(shape: ResourceClass) -> dict[str, Any]:
    allowed = ("host_paths", "privileged", "service_account_token")
    return {
        "resource class": shape.name,
        "cpu": _cpu(shape.max_cpu_millis),
        "memory": _memory(shape.max_memory_bytes),
        "accelerators": _accelerators(shape),
        "clusters": ", ".join(shape.clusters) or "*",
        "running": str(shape.running),
        "cpu in use": _cpu_in_use(shape),
        "memory in use": _memory_in_use(shape),
        "node selector": ", ".join(f"{key}={value}" for key, value in sorted(shape.node_selector.items())),
        "tolerations": shape.tolerations_json,
        "priority class": shape.priority_class,
        "allows": ", ".join(name.replace("_", " ") for name in allowed if getattr(shape, f"allow_{name}")),
        "service accounts": ", ".join(shape.service_accounts),
        "kept in": {"file": "the operator's file", "built-in": "a cluster's own"}.get(_kept_in(shape), ""),
    }


def _kept_in(shape: ResourceClass) -> str:
    return "built-in" if shape.built_in else "file" if shape.from_file else ""


def _accelerators(shape: ResourceClass) -> str:
    return ", ".join(f"{name}={count}" for name, count in sorted(shape.max_accelerators.items()))


def _cpu(millis: int) -> str:
    from flyte.spec.quantities import format_cpu_millis

    return format_cpu_millis(millis) if millis else "any"


def _memory(amount: int) -> str:
    return memory_text(amount) if amount else "any"


def _cpu_in_use(shape: ResourceClass) -> str:
    used = _cpu(shape.used_cpu_millis) if shape.used_cpu_millis else "0"
    return f"{used} of {_cpu(shape.quota_cpu_millis)}" if shape.quota_cpu_millis else used


def _memory_in_use(shape: ResourceClass) -> str:
    used = _memory(shape.used_memory_bytes) if shape.used_memory_bytes else "0"
    return f"{used} of {_memory(shape.quota_memory_bytes)}" if shape.quota_memory_bytes else used
