"""`flyte build`: the images of a file's environments."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flyte.cli.deploy import chosen_environments
from flyte.cli.options import code_options, image_option, json_option, root_options
from flyte.cli.output import print_json, print_table


@click.command()
@code_options("Build")
@image_option
@json_option
@click.pass_context
def build(
    ctx: click.Context,
    *,
    file: str,
    environment: str | None,
    copy_style: str,
    root_dir: Path | None,
    all_files: bool,
    recursive: bool,
    ignore_load_errors: bool,
    image: tuple[str, ...],
    as_json: bool,
) -> None:
    """Build the images of the environments of FILE and of all that they depend on, or only of ENVIRONMENT."""
    from flyte.cli.user_folder import load_user_files
    from flyte.images.build import build_images

    root = root_options(ctx)
    root.choose_platform(root_dir=root_dir, images=image)
    loaded = load_user_files(
        Path(file),
        root_dir=root_dir,
        all_files=all_files or recursive,
        recursive=recursive,
        ignore_load_errors=ignore_load_errors,
    )
    try:
        images = build_images(
            *chosen_environments(loaded, environment),
            copy_style=copy_style,  # type: ignore[arg-type]  # one of the choices
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if as_json or root.json:
        print_json(images)
        return
    print_table(("environment", "image"), images.items(), empty="Nothing to build.")
