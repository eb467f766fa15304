"""The options that describe a resource class, and how they are written into its message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

from flyte.cli.options import assignments
from flyte.cli.quantity_types import CPU, MEMORY, counts

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass

Command = TypeVar("Command", bound=Callable[..., Any])

#: Fields that are set as they are given.
_PLAIN: Final = (
    "max_cpu_millis",
    "max_memory_bytes",
    "quota_cpu_millis",
    "quota_memory_bytes",
    "tolerations_json",
    "priority_class",
    "allow_host_paths",
    "allow_privileged",
    "allow_service_account_token",
)
#: What --clear empties, by its field.
CLEARABLE: Final = {
    "accelerators": "max_accelerators",
    "node-selector": "node_selector",
    "tolerations": "tolerations_json",
    "priority-class": "priority_class",
    "service-accounts": "service_accounts",
}


def shape_options(command: Command) -> Command:
    """Add the options that describe a class; one that is not given is None or empty."""
    for option in reversed((*_size_options(), *_pod_options())):
        command = option(command)
    return command


def _size_options() -> tuple[Callable[[Command], Command], ...]:
    return (
        click.option("--cpu", "max_cpu_millis", type=CPU, help="Most cpu of one attempt: 4, 500m. 0: no limit."),
        click.option("--memory", "max_memory_bytes", type=MEMORY, help="Most memory of one attempt: 8Gi. 0: no limit."),
        click.option(
            "--accelerator",
            multiple=True,
            metavar="NAME=N",
            help="Most accelerators of one attempt: GPU=2 for any, GPU/A100=8 for a device. Repeatable.",
        ),
        click.option(
            "--quota-cpu",
            "quota_cpu_millis",
            type=CPU,
            help="Most cpu that all attempts of the class use at once. 0: no limit.",
        ),
        click.option(
            "--quota-memory",
            "quota_memory_bytes",
            type=MEMORY,
            help="Most memory that all attempts of the class use at once. 0: no limit.",
        ),
        click.option(
            "--cluster",
            "clusters",
            multiple=True,
            metavar="NAME",
            help="Cluster that offers the class; '*' for all. Repeatable.",
        ),
    )


def _pod_options() -> tuple[Callable[[Command], Command], ...]:
    return (
        click.option("--node-selector", multiple=True, metavar="KEY=VALUE", help="Label of the nodes. Repeatable."),
        click.option(
            "--tolerations", "tolerations_json", metavar="JSON", help="JSON list of Kubernetes tolerations of the pods."
        ),
        click.option("--priority-class", metavar="NAME", help="Kubernetes priority class of the pods."),
        click.option(
            "--allow-host-paths/--refuse-host-paths", default=None, help="Whether pods may mount paths of the node."
        ),
        click.option(
            "--allow-privileged/--refuse-privileged", default=None, help="Whether containers may be privileged."
        ),
        click.option(
            "--allow-service-account-token/--refuse-service-account-token",
            default=None,
            help="Whether pods may hold the token of their service account.",
        ),
        click.option(
            "--service-account",
            "service_accounts",
            multiple=True,
            metavar="NAME",
            help="Service account that tasks may name besides the namespace's default. Repeatable.",
        ),
    )


def apply_shape(shape: ResourceClass, given: dict[str, Any]) -> None:
    """Set what was given; a list or map that is given takes the place of the whole old one."""
    for field in _PLAIN:
        if given[field] is not None:
            setattr(shape, field, given[field])
    for field in ("clusters", "service_accounts"):
        if given[field]:
            getattr(shape, field)[:] = given[field]
    if given["accelerator"]:
        found = counts(assignments(given["accelerator"], option="--accelerator"), option="--accelerator")
        shape.max_accelerators.clear()
        shape.max_accelerators.update(found)
    if given["node_selector"]:
        labels = assignments(given["node_selector"], option="--node-selector")
        shape.node_selector.clear()
        shape.node_selector.update(labels)
