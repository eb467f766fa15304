"""The options of `flyte run`, which may stand before the file or after the task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import rich_click as click
from click.core import ParameterSource

from flyte.cli.options import COPY_STYLES, NO_SYNC_HELP, assignments, root_options
from flyte.cli.peer_options import refused_option


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the options say, the later place winning."""

    local: bool = False
    follow: bool = False
    no_wait: bool = False
    name: str | None = None
    project: str | None = None
    domain: str | None = None
    env: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    queue: str | None = None
    overwrite_cache: bool = False
    disable_cache: bool = False
    copy_style: str = "loaded_modules"
    version: str | None = None
    root_dir: Path | None = None
    image: tuple[str, ...] = ()
    raw_data_path: str | None = None
    service_account: str | None = None
    max_action_concurrency: int | None = None
    no_sync_local_sys_paths: bool = False
    as_json: bool = False
    user_log_level: str | None = None
    """Stands before the command, like `log_format`."""
    log_format: str | None = None

    @classmethod
    def collect(cls, ctx: click.Context) -> RunOptions:
        """Return what was given in this command and those around it; repeatable options add up."""
        chain: list[click.Context] = []
        current: click.Context | None = ctx
        while current is not None:
            chain.insert(0, current)
            current = current.parent
        found: dict[str, Any] = {}
        names = {spec.name for spec in fields(cls)} - {"project", "domain"}
        for one in chain:
            in_run = one.command.name not in ("flyte", None)
            for name in names | ({"project", "domain"} if in_run else set()):
                if one.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                    value = one.params.get(name)
                    found[name] = (*found.get(name, ()), *value) if isinstance(value, tuple) else value
        found["as_json"] = found.get("as_json", False) or root_options(ctx).json
        return cls(**found)

    def env_vars(self) -> dict[str, str]:
        """Return --env as a dict."""
        return assignments(self.env, option="--env")

    def labels(self) -> dict[str, str]:
        """Return --label as a dict."""
        return assignments(self.label, option="--label")


def run_options() -> list[click.Option]:
    """Return new options."""
    return [make() for make in _MAKERS]


def _flag(*spellings: str, help: str) -> Callable[[], click.Option]:
    return lambda: click.RichOption(list(spellings), is_flag=True, default=False, help=help)


def _text(*spellings: str, help: str, **more: Any) -> Callable[[], click.Option]:
    return lambda: click.RichOption(list(spellings), default=None, help=help, **more)


def _only_one(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> str | None:
    if len(values) > 1:
        raise click.BadParameter(f"{' and '.join(values)} were given. Give one queue, under one spelling.")
    return values[0] if values else None


_MAKERS: tuple[Callable[[], click.Option], ...] = (
    _flag("--local", help="Run in this process, without a platform."),
    _flag("-f", "--follow", help="Print what the task prints while it runs."),
    _flag("--no-wait", help="Return as soon as the run is accepted."),
    _text("--name", help="Name of the run. The same name with the same content is the same run."),
    _text("-p", "--project", "--run-project", "project", help="Project of the run."),
    _text("-d", "--domain", "--run-domain", "domain", help="Domain of the run."),
    lambda: click.RichOption(
        ["-e", "--env"], multiple=True, metavar="KEY=VALUE", help="Environment variable for all tasks. Repeatable."
    ),
    lambda: click.RichOption(["--label"], multiple=True, metavar="KEY=VALUE", help="Label of the run. Repeatable."),
    lambda: click.RichOption(
        ["--queue", "--task_queue", "--task-queue", "queue"],
        multiple=True,
        callback=_only_one,
        metavar="NAME",
        help="Queue for tasks that name none.",
    ),
    lambda: click.RichOption(
        ["--image"],
        multiple=True,
        metavar="[NAME=]URI",
        help="Image for Image.from_ref_name(NAME); without a name, for environments that name none. Repeatable.",
    ),
    _flag("--overwrite-cache", help="Compute everything and replace cached results."),
    _flag("--disable-cache", help="Neither use nor keep cached results."),
    _text("--copy-style", type=click.Choice(COPY_STYLES), help="Which code is bundled. Default: loaded_modules."),
    _text("--version", help="Version of the code; needed with --copy-style none. Of deployed-task: which."),
    _text(
        "--root-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder that modules are named from.",
    ),
    _text("--raw-data-path", help="Prefix for the data of the run."),
    _text("--service-account", help="Kubernetes service account for tasks that name none."),
    _text("--max-action-concurrency", type=int, help="Most actions of the run that run at once, at least 2."),
    _flag("--no-sync-local-sys-paths", help=NO_SYNC_HELP),
    lambda: refused_option("--tui", instead="The tree of a run is drawn on a terminal as it is, see --follow."),
    lambda: refused_option("--tracked", instead="Leave --local out: runs of the platform are in the console."),
    lambda: refused_option("--tracked-strict", instead="Leave --local out: runs of the platform are in the console."),
    lambda: refused_option(
        "--debug", instead="Run with --local under a debugger: python -m pdb -m flyte.cli.main run --local FILE TASK."
    ),
    lambda: click.RichOption(["--json", "as_json"], is_flag=True, default=False, help="Print JSON, for programs."),
)
