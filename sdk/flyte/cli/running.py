"""Starts a run for the command line, shows how it goes on, and prints what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.errors import has_user_frames, user_traceback
from flyte.cli.options import RootOptions, log_options, root_options
from flyte.cli.output import is_terminal, print_json
from flyte.cli.panel import print_panel
from flyte.cli.run_options import RunOptions
from flyte.spec.phases import ActionPhase

if TYPE_CHECKING:
    from flyte.cli.following import Progress
    from flyte.client.run import Runner
    from flyte.remote.run import Run
    from flyte.remote.values import ActionOutputs

_BUNDLE_FOLDER = re.compile(r'File "[^"]*/[0-9a-f]{64}/')
"""Where a worker unpacks a code bundle; without it a path is the one below the user's own root folder."""


def run_task(task: Any, inputs: Mapping[str, Any], options: RunOptions, *, root: RootOptions) -> int:
    """Run a task and return the exit code."""
    runner = _runner(options)
    if options.local:
        return _run_here(runner, task, inputs, options)
    try:
        run: Run = runner.run(task, **inputs)
    except (TypeError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    return show_run(run, options)


def _runner(options: RunOptions) -> Runner:
    from flyte.client.run import with_runcontext
    from flyte.spec.problems import InvalidSetting, InvalidSettingType

    try:
        return with_runcontext(
            "local" if options.local else "remote",
            name=options.name,
            service_account=options.service_account,
            version=options.version,
            copy_style=options.copy_style,  # type: ignore[arg-type]  # checked again by the run
            raw_data_path=options.raw_data_path,
            overwrite_cache=options.overwrite_cache,
            disable_run_cache=options.disable_cache,
            project=options.project,
            domain=options.domain,
            env_vars=options.env_vars(),
            labels=options.labels(),
            queue=options.queue,
            max_action_concurrency=options.max_action_concurrency,
            **log_options(options.user_log_level, options.log_format),
        )
    except (InvalidSetting, InvalidSettingType) as error:
        raise click.UsageError(str(error)) from None


def _run_here(runner: Runner, task: Any, inputs: Mapping[str, Any], options: RunOptions) -> int:
    from dataclasses import replace

    from flyte.client.init import current_settings, set_settings

    settings = current_settings()
    set_settings(None if settings is None else replace(settings, endpoint=None))
    try:
        run = runner.run(task, **inputs)
    except Exception as error:
        shown = user_traceback(error) if has_user_frames(error) else ""
        _print_failure("The local run", _code_of(error), error, shown, options)
        return 1
    _print_outputs(run.name, ActionPhase.SUCCEEDED, run.outputs(), options)
    return 0


def _code_of(error: Exception) -> str:
    from flyte.errors import BaseRuntimeError

    return error.code if isinstance(error, BaseRuntimeError) else type(error).__name__


def show_run(run: Run, options: RunOptions) -> int:
    """Follow a run that was accepted, unless told not to, and return the exit code."""
    has_console = _ask_for_console()
    if options.no_wait:
        if options.as_json:
            print_json({"run": run.name, "phase": run.phase.name, "url": run.url})
        else:
            click.echo(run.name)
        return 0
    if has_console and not options.as_json:
        click.echo(f"Look at {run.url}", err=True)
    try:
        _follow(run, options)
    except KeyboardInterrupt:
        click.echo(
            f"\nThe run goes on. Show it with `flyte get run {run.name}`, end it with `flyte abort run {run.name}`.",
            err=True,
        )
        return 130
    error = run.error()
    if error is None:
        _print_outputs(run.name, run.phase, run.outputs(), options)
        return 0
    from flyte.remote.failures import traceback_of

    code = getattr(error, "code", type(error).__name__)
    _print_failure(f"Run {run.name}", code, error, traceback_of(error), options, phase=run.phase)
    return 1


def _ask_for_console() -> bool:
    """Learn where the platform shows its runs; that it cannot be asked is no reason to say less about a run."""
    from flyte.errors import BaseRuntimeError
    from flyte.remote import User

    try:
        return bool(User.get().message.console_url)
    except BaseRuntimeError:
        return False


def _follow(run: Run, options: RunOptions) -> None:
    from flyte.cli.following import Progress, follow
    from flyte.cli.tree import RunTree

    progress = Progress(RunTree())
    if options.follow and not options.as_json and is_terminal() and _may_draw():
        _follow_below_logs(run, progress)
    elif options.follow and not options.as_json:
        click.echo(f"Run {run.name}", err=True)
        for line in run.get_logs():
            click.echo(line)
        follow(run, progress)
    elif is_terminal() and not options.as_json and _may_draw():
        from flyte.cli.drawing import Drawing

        with Drawing(f"Run {run.name}", progress).live():
            follow(run, progress)
    else:
        run.wait()


def _follow_below_logs(run: Run, progress: Progress) -> None:
    """Print what the task prints, and below it the tree of the run as it grows."""
    from concurrent.futures import ThreadPoolExecutor

    from rich.text import Text

    from flyte.cli.drawing import Drawing
    from flyte.cli.following import follow

    with Drawing(f"Run {run.name}", progress).live() as live, ThreadPoolExecutor(1) as pool:
        followed = pool.submit(follow, run, progress)
        for line in run.get_logs():
            live.console.print(Text.from_ansi(line), soft_wrap=True)
        followed.result()


def _may_draw() -> bool:
    context = click.get_current_context(silent=True)
    return context is None or root_options(context).progress


def _print_outputs(name: str, phase: ActionPhase, outputs: ActionOutputs, options: RunOptions) -> None:
    if options.as_json:
        print_json({"run": name, "phase": phase.name, "outputs": outputs.named_outputs})
        return
    for output, value in outputs.named_outputs.items():
        click.echo(f"{output} = {_shown(value)}")


def _shown(value: object) -> str:
    """Return a text of several lines as it is, below its name, and everything else as Python writes it."""
    return f"\n{value}" if isinstance(value, str) and "\n" in value else repr(value)


def _print_failure(
    subject: str,
    code: str,
    error: BaseException,
    traceback: str,
    options: RunOptions,
    *,
    phase: ActionPhase = ActionPhase.FAILED,
) -> None:
    if options.as_json:
        print_json(
            {
                "run": subject.removeprefix("Run "),
                "phase": phase.name,
                "error": {"code": code, "message": str(error), "traceback": traceback},
            }
        )
        return
    verb = {ActionPhase.ABORTED: "was aborted", ActionPhase.TIMED_OUT: "timed out"}.get(phase, "failed")
    if "\n  File " in traceback:  # else it says what the panel says
        click.echo(_BUNDLE_FOLDER.sub('File "', traceback).rstrip(), err=True)
    print_panel(f"{subject} {verb}: {code}: {error}")
