"""The options of the root command, and how commands use them to reach the platform."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import rich_click as click

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class RootOptions:
    """What stands before the command."""

    config: str | None = None
    endpoint: str | None = None
    insecure: bool | None = None
    project: str | None = None
    domain: str | None = None
    org: str | None = None
    output_format: str = "table"
    progress: bool = True
    verbose: int = 0
    image_builder: str | None = None

    @property
    def json(self) -> bool:
        """Whether JSON is wanted of every command."""
        return self.output_format.startswith("json")

    def choose_platform(
        self,
        *,
        project: str | None = None,
        domain: str | None = None,
        root_dir: Path | None = None,
        images: Iterable[str] = (),
        sync_local_sys_paths: bool = True,
    ) -> None:
        """Settle endpoint, project and domain for the SDK, and the names of images; connects to nothing yet.

        Raises ClickException for a configuration that cannot be read, and an endpoint that is none.
        """
        from dataclasses import replace

        from flyte.client.endpoints import parse_endpoint
        from flyte.client.init import named_image, set_settings
        from flyte.client.settings import settings_from_config
        from flyte.config import auto

        try:
            config = auto(self.config)
            named = dict(map(named_image, images))
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        settings = settings_from_config(
            config, endpoint=self.endpoint, project=project or self.project, domain=domain or self.domain
        )
        if settings.endpoint is not None:
            try:
                parse_endpoint(settings.endpoint)
            except ValueError as error:
                raise click.ClickException(str(error)) from None
        insecure = self.insecure if self.insecure is not None else settings.insecure
        set_settings(
            replace(
                settings,
                insecure=insecure,
                org=self.org or settings.org,
                root_dir=root_dir,
                sync_local_sys_paths=sync_local_sys_paths,
                images={**settings.images, **named},
                image_builder=self.image_builder or settings.image_builder,
            )
        )


def log_options(user_log_level: str | None, log_format: str | None) -> dict[str, Any]:
    """Return what the options about logs are for `flyte.init` and `with_runcontext`; only what was given."""
    import logging

    level = None if user_log_level is None else logging.getLevelNamesMapping()[user_log_level.upper()]
    given = {"user_log_level": level, "log_format": log_format}
    return {name: value for name, value in given.items() if value is not None}


def root_options(ctx: click.Context) -> RootOptions:
    """Return the options before the command."""
    return ctx.find_object(RootOptions) or RootOptions()


def scope_options(command: Command) -> Command:
    """Add --project and --domain to a command, which win over those before the command."""
    command = click.option("-d", "--domain", help="Domain.")(command)
    return click.option("-p", "--project", help="Project.")(command)


def secret_options(command: Command) -> Command:
    """Add NAME, --value, --from-file, --group and the scope to a command that stores a secret."""
    command = click.option("--group", default="", help="Group of the secret.")(scope_options(command))
    file = click.Path(dir_okay=False, path_type=Path)
    command = click.option("--from-file", type=file, help="File with the value.")(command)
    warning = "The value; better not, since others may see your command line. - reads standard input."
    return click.argument("name")(click.option("--value", help=warning)(command))


NO_SYNC_HELP: Final = "Let workers import from the root folder only, not from others below it that this process uses."

#: Which code is bundled.
COPY_STYLES: Final = ("loaded_modules", "all", "none")


def code_options(verb: str) -> Callable[[Command], Command]:
    """Add FILE, ENVIRONMENT and how their code is found to a command; `verb` is what it does, for its help."""

    def add(command: Command) -> Command:
        ignore = "Leave out files that cannot be imported."
        command = click.option("-i", "--ignore-load-errors", is_flag=True, help=ignore)(command)
        recursive = f"{verb} those in all folders below as well."
        command = click.option("-r", "--recursive", is_flag=True, help=recursive)(command)
        folder = f"{verb} the environments of all files in the folder of FILE."
        command = click.option("--all", "all_files", is_flag=True, help=folder)(command)
        root = click.Path(exists=True, file_okay=False, path_type=Path)
        command = click.option("--root-dir", type=root, help="Folder that modules are named from.")(command)
        styles, help = click.Choice(COPY_STYLES), "Which code is bundled."
        command = click.option("--copy-style", type=styles, default=COPY_STYLES[0], help=help)(command)
        return click.argument("file", type=click.Path())(click.argument("environment", required=False)(command))

    return add


def image_option(command: Command) -> Command:
    """Add --image to a command that sends tasks."""
    help = "Image for Image.from_ref_name(NAME); without a name, for environments that name none. Repeatable."
    return click.option("--image", multiple=True, metavar="[NAME=]URI", help=help)(command)


def local_option(help: str) -> Callable[[Command], Command]:
    """Add --local, with what it means for this command."""
    return click.option("--local", is_flag=True, help=help)


def json_option(command: Command) -> Command:
    """Add --json to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def assignments(texts: tuple[str, ...], *, option: str) -> dict[str, str]:
    """Return KEY=VALUE texts as a dict. Raises BadParameter for a text without "=" or with an empty key."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=option)
        found[key] = value
    return found
