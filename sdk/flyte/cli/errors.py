"""How the command line says that something went wrong: one clear message, and no frames that are not the user's."""

from __future__ import annotations

import sys
import traceback

import rich_click as click


def report(error: BaseException, *, verbose: bool = False) -> int:
    """Print an error to stderr and return the exit code for it."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    if isinstance(error, BrokenPipeError):
        # Whoever read the output has seen enough.
        sys.stderr.close()
        return 0
    if verbose or not _is_expected(error):
        traceback.print_exception(error)
        return 1
    lines = [str(error) or type(error).__name__, *getattr(error, "__notes__", ())]
    click.echo("Error: " + "\n  ".join(lines), err=True)
    return 1


def _is_expected(error: BaseException) -> bool:
    from flyte.errors import ActionNotFoundError, BaseRuntimeError
    from flyte.spec.problems import InvalidSetting, InvalidSettingType

    return isinstance(error, BaseRuntimeError | ActionNotFoundError | InvalidSetting | InvalidSettingType)


def user_traceback(error: BaseException) -> str:
    """Return the traceback of an error with the user's own frames only; without any of these, just the error."""
    from flyte.wire.errors import is_platform_file, user_traceback

    frames = traceback.extract_tb(error.__traceback__)
    if all(is_platform_file(frame.filename) for frame in frames):
        return "".join(traceback.format_exception_only(error)).rstrip()
    return user_traceback(error).rstrip()
