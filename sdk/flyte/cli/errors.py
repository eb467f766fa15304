"""How the command line says that something went wrong: one clear message, and no frames that are not the user's."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType

import rich_click as click

_OWN_FOLDER = Path(__file__).resolve().parent.parent


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
    """Return the traceback of an error without the frames of this SDK and of the import machinery."""
    frames = [
        frame for frame in traceback.extract_tb(_first_user_frame(error.__traceback__)) if not _is_own(frame.filename)
    ]
    header = ["Traceback (most recent call last):\n"] if frames else []
    lines = [*header, *traceback.format_list(frames), *traceback.format_exception_only(error)]
    return "".join(lines).rstrip()


def _first_user_frame(tb: TracebackType | None) -> TracebackType | None:
    while tb is not None and _is_own(tb.tb_frame.f_code.co_filename):
        tb = tb.tb_next
    return tb


def _is_own(filename: str) -> bool:
    if filename.startswith("<frozen"):
        return True
    return Path(filename).is_relative_to(_OWN_FOLDER) or "/importlib/" in filename
