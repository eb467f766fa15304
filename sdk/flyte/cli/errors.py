"""How the command line says that something went wrong: one clear message, and no frames that are not the user's."""

from __future__ import annotations

import os
import select
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
    if isinstance(error, BrokenPipeError | SystemExit) and _reader_left():
        _write_no_more()
        return 0
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0
    if verbose or not _is_expected(error):
        traceback.print_exception(error)
        return 1
    lines = [str(error) or type(error).__name__, *getattr(error, "__notes__", ())]
    click.echo("Error: " + "\n  ".join(lines), err=True)
    return 1


def _reader_left() -> bool:
    """Tell whether whoever read the output has seen enough, as `head` has; other pipes may break as well."""
    output = select.poll()
    output.register(1, 0)
    return any(event & select.POLLERR for _, event in output.poll(0))


def _write_no_more() -> None:
    """Send what is still to be written nowhere, so that the interpreter does not stumble over it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


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
