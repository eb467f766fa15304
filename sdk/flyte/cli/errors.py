"""How the command line says that something went wrong: one clear message, and no frames that are not the user's.

Whatever went wrong, the message stands in one panel on standard error and the exit code is 1; 130 if it was
interrupted.
"""

from __future__ import annotations

import os
import select
import sysconfig
import traceback

import rich_click as click
from click.exceptions import NoArgsIsHelpError

from flyte.cli.panel import print_panel


def report(error: BaseException, *, verbose: bool = False) -> int:
    """Print an error to stderr and return the exit code for it."""
    if isinstance(error, NoArgsIsHelpError):
        click.echo(error.message)
        return 1
    if isinstance(error, click.ClickException):
        print_panel(_said(error))
        return 1
    if isinstance(error, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    if isinstance(error, BrokenPipeError | SystemExit) and _reader_left():
        _write_no_more()
        return 0
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0
    expected = _is_expected(error)
    if verbose or not expected:
        traceback.print_exception(error)
    lines = [str(error) or type(error).__name__, *getattr(error, "__notes__", ())]
    if not expected:
        lines = [f"{type(error).__name__}: {lines[0]}", *lines[1:], "This was not foreseen: please report it."]
    print_panel("\n".join(lines))
    return 1


def _said(error: click.ClickException) -> str:
    """Return what was wrong with a command, and for one that was not understood how it is written."""
    message = error.format_message()
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return message
    usage = " ".join(error.ctx.command.collect_usage_pieces(error.ctx))
    return f"{message}\n\nUsage: {error.ctx.command_path} {usage}\n`{error.ctx.command_path} --help` tells more."


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


def has_user_frames(error: BaseException) -> bool:
    """Tell whether an error came through code of the user, and not only through ours and Python's own."""
    from flyte.wire.errors import is_platform_file

    library = sysconfig.get_path("stdlib")
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    own = [file for file in files if "site-packages" in file or not file.startswith(library)]
    return not all(map(is_platform_file, own))


def user_traceback(error: BaseException) -> str:
    """Return the traceback of an error with the user's own frames only; without any of these, just the error."""
    from flyte.wire.errors import user_traceback

    if not has_user_frames(error):
        return "".join(traceback.format_exception_only(error)).rstrip()
    return user_traceback(error).rstrip()
