"""`flyte create|update|delete resource-class`: the shapes that an operator offers.

What runs in a class goes on whatever is changed; what waits is mapped anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.class_options import CLEARABLE, apply_shape, shape_options
from flyte.cli.options import root_options
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass


@click.command("resource-class")
@click.argument("name")
@shape_options
@click.pass_context
def create_resource_class(ctx: click.Context, /, *, name: str, **given: Any) -> None:
    """Create the resource class NAME. A task gets the smallest class that its resources fit.

    Once a cluster has a class, it no longer offers the one of its own that takes everything.
    """
    from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass

    root_options(ctx).choose_platform()
    shape = ResourceClass(name=name)
    apply_shape(shape, given)
    put(shape, must_be_new=True)
    click.echo(f"Created resource class {name}.")


@click.command("resource-class")
@click.argument("name")
@shape_options
@click.option("--clear", multiple=True, type=click.Choice(tuple(CLEARABLE)), help="Empty this. Repeatable.")
@click.pass_context
def update_resource_class(ctx: click.Context, /, *, name: str, clear: tuple[str, ...], **given: Any) -> None:
    """Change what is given of the resource class NAME. Nothing that runs is ended by it."""
    from flyte.cli.get_resource_class import fetch_classes

    if not clear and all(value in (None, ()) for value in given.values()):
        raise click.UsageError(f"Nothing to change: see `flyte update resource-class --help`, and name what of {name}.")
    root_options(ctx).choose_platform()
    shape = fetch_classes(name)[0]
    for what in clear:
        shape.ClearField(CLEARABLE[what])  # type: ignore[arg-type]
    apply_shape(shape, given)
    put(shape, must_exist=True)
    click.echo(f"Updated resource class {name}.")


@click.command("resource-class")
@click.argument("name")
@click.pass_context
def delete_resource_class(ctx: click.Context, *, name: str) -> None:
    """Delete the resource class NAME. What runs in it goes on; what waits gets another class."""
    root_options(ctx).choose_platform()
    remove(name)
    click.echo(f"Deleted resource class {name}.")


@syncify
async def put(shape: ResourceClass, *, must_be_new: bool = False, must_exist: bool = False) -> ResourceClass:
    """Store a class and return it as it is stored."""
    from flyte.client.call_ids import new_request_id
    from flyte.client.channel import connection
    from flyteapi.scheduler.v1.resource_class_service_pb2 import PutResourceClassRequest

    platform = connection()
    request = PutResourceClassRequest(
        resource_class=shape, must_be_new=must_be_new, must_exist=must_exist, request_id=new_request_id()
    )
    return (await platform.change(platform.resource_classes.PutResourceClass, request)).resource_class


@syncify
async def remove(name: str) -> None:
    """Delete a class."""
    from flyte.client.call_ids import new_request_id
    from flyte.client.channel import connection
    from flyteapi.scheduler.v1.resource_class_service_pb2 import DeleteResourceClassRequest

    platform = connection()
    request = DeleteResourceClassRequest(name=name, request_id=new_request_id())
    await platform.change(platform.resource_classes.DeleteResourceClass, request)
