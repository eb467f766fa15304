"""`flyte build`: the images of a file's environments."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flyte.cli.deploy import chosen_environments
from flyte.cli.options import image_option, json_option, root_options
from flyte.cli.output import print_json, print_table
from flyte.cli.run_options import COPY_STYLES


@click.command()
@click.argument("file")
@click.argument("environment", required=False)
@click.option("--copy-style", type=click.Choice(COPY_STYLES), default="loaded_modules", help="Which code is bundled.")
@click.option(
    "--root-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that modules are named from.",
)
@click.option("--all", "all_files", is_flag=True, help="Build for all files in the folder of FILE.")
@click.option("-r", "--recursive", is_flag=True, help="Build for those in all folders below as well.")
@click.option("-i", "--ignore-load-errors", is_flag=True, help="Leave out files that cannot be imported.")
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
    from flyte.client.deploy import build_images

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
