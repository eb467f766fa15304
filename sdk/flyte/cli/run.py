"""`flyte run FILE TASK --input value ...`: the task's inputs are options of the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.shell_completion import CompletionItem

from flyte.cli.options import root_options
from flyte.cli.run_options import RunOptions, run_options

if TYPE_CHECKING:
    from flyte.cli.user_file import UserFile

DEPLOYED = "deployed-task"
SCRIPT = "python-script"
_MOST_COMPLETED = 200


class TaskCommand(click.RichCommand):
    """A task: its inputs as options, and after them the options of `run`, which may stand in either place."""

    def __init__(self, *, name: str, help: str, inputs: list[click.Option], start: Callable[..., int]) -> None:
        from flyte.cli.inputs import names_of

        taken = names_of(inputs)
        extra = [option for option in run_options() if not names_of([option]) & taken]
        super().__init__(name=name, help=help, params=[*inputs, *extra])
        self._start = start

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line. Raises UsageError naming all inputs that are missing, with their types."""
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as error:
            given, _, _ = self.make_parser(ctx).parse_args(typed)
            missing = [option for option in self.params if option.required and option.name not in given]
            named = ", ".join(f"{option.opts[0]} (type: {_type_of(option)})" for option in missing)
            raise click.UsageError(f"Missing required parameter(s): {named}", ctx=error.ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Start the run, follow it and exit with its code."""
        from flyte.cli.inputs import given_inputs

        options = RunOptions.collect(ctx)
        ctx.exit(self._start(given_inputs(ctx), options))


def _type_of(option: click.Parameter) -> str:
    return option.metavar or option.type.name.upper()


class FileGroup(click.RichGroup):
    """The tasks of one file."""

    def __init__(self, path: str) -> None:
        super().__init__(name=path, help=f"Tasks of {path}.", subcommand_metavar="TASK [INPUTS]...")
        self._path = path
        self._file: UserFile | None = None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the tasks."""
        return list(self._loaded(ctx).tasks)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return the command of a task. Raises ClickException for a name that is no task of the file."""
        from flyte.cli.inputs import options_of
        from flyte.cli.running import run_task

        task = self._loaded(ctx).task(cmd_name)
        try:
            inputs = options_of(task.interface)
        except NameError as error:
            raise click.ClickException(f"Task {cmd_name}: an annotation cannot be resolved: {error}") from None
        return TaskCommand(
            name=cmd_name,
            help=(task.__doc__ if hasattr(task, "func") else None) or f"Run {task.name}.",
            inputs=inputs,
            start=lambda given, options: run_task(task, given, options, root=root_options(ctx)),
        )

    def _loaded(self, ctx: click.Context) -> UserFile:
        if self._file is not None:
            return self._file
        from flyte.cli.user_file import load_user_file

        options = RunOptions.collect(ctx)
        root = root_options(ctx)
        root.choose_platform(
            project=options.project,
            domain=options.domain,
            root_dir=options.root_dir,
            images=options.image,
            sync_local_sys_paths=not options.no_sync_local_sys_paths,
        )
        self._file = load_user_file(self._path, root_dir=options.root_dir)
        return self._file


class DeployedGroup(click.RichGroup):
    """Tasks that were deployed."""

    def __init__(self) -> None:
        super().__init__(
            name=DEPLOYED,
            help="Run a deployed task by its full name (environment.function), or name@version.",
            subcommand_metavar="NAME[@VERSION] [INPUTS]...",
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return nothing: `flyte get task` lists them."""
        return []

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the names of deployed tasks."""
        from flyte.remote.task import Task

        options = RunOptions.collect(ctx)
        root_options(ctx).choose_platform(project=options.project, domain=options.domain)
        names = [task.name for task in Task.listall(limit=_MOST_COMPLETED)]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return the command of a deployed task."""
        from flyte.cli.inputs import options_of_schema
        from flyte.cli.running import run_task
        from flyte.errors import RuntimeUserError
        from flyte.remote.task import Task

        options = RunOptions.collect(ctx)
        root = root_options(ctx)
        root.choose_platform(project=options.project, domain=options.domain)
        name, _, version = cmd_name.partition("@")
        if version and options.version not in (None, version):
            raise click.UsageError(f"{cmd_name} and --version {options.version} are two versions: give one of them.")
        version = version or options.version or ""
        try:
            details = Task.get(name, version=version or None, auto_version=None if version else "latest").fetch()
        except RuntimeUserError as error:
            if near := [] if version else _deployed_like(name):
                error.add_note(f"Did you mean {' or '.join(near)}?")
            raise
        return TaskCommand(
            name=cmd_name,
            help=details.spec.long_description or details.spec.short_description or f"Run {details.name}.",
            inputs=options_of_schema(details.spec.interface),
            start=lambda given, options: run_task(details, given, options, root=root),
        )


def _deployed_like(name: str) -> list[str]:
    """Return the deployed tasks that may be meant: those whose function is called so, else names that are near."""
    import difflib

    from flyte.remote.task import Task

    names = [task.name for task in Task.listall(limit=_MOST_COMPLETED)]
    same = [other for other in names if other.rpartition(".")[2] == name.rpartition(".")[2]]
    return same[:3] or difflib.get_close_matches(name, names, n=3)


class RunGroup(click.RichGroup):
    """The first argument is a file, "deployed-task" or "python-script"."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return these words, and leave files to the shell."""
        return [*super().shell_complete(ctx, incomplete), CompletionItem(incomplete, type="file")]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return what is not a file."""
        return [DEPLOYED, SCRIPT]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return the group of a file or of the deployed tasks, or the command for scripts."""
        if cmd_name not in (DEPLOYED, SCRIPT) or Path(cmd_name).exists():
            return FileGroup(cmd_name)
        if cmd_name == DEPLOYED:
            return DeployedGroup()
        from flyte.cli.python_script import ScriptCommand

        return ScriptCommand()


run = RunGroup(
    name="run",
    params=list(run_options()),
    subcommand_metavar="FILE TASK [INPUTS]...",
    no_args_is_help=True,
    invoke_without_command=False,
    help="""Run a task of a Python file on the platform, show how it goes on, and print its outputs.

    Every input of the task is an option: `flyte run hello.py main --n 5`. `flyte run hello.py --help` lists the tasks
    of a file, `flyte run hello.py main --help` the inputs of a task. Lists, dicts and records are given as JSON, files
    by their path. Options of the run may stand before FILE or after the task.

    Exit codes: 0 the run succeeded, 1 it did not or could not be started.
    """,
)
