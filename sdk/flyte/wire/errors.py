"""The errors of tasks on their way to a parent in another process.

What travels is the class name, the message and the traceback of the user's own frames, and the exception itself as a
pickle if it has one. The parent raises an error of `flyte.errors` that carries all of it: the class of the original
may not exist where the parent runs.
"""

from __future__ import annotations

import os
import traceback
from typing import Any, Final, cast

from flyte.errors import (
    BaseRuntimeError,
    NonRecoverableError,
    RuntimeSystemError,
    RuntimeUnknownError,
    RuntimeUserError,
    from_failure,
)
from flyte.spec.masking import Mask
from flyte.types.mismatch import TypeTransformerFailedError
from flyteapi.common.v1 import error_pb2

MAX_TEXT_BYTES: Final = 64 * 1024
"""Longest message, and longest traceback; longer ones are cut and say so."""

MAX_PICKLE_BYTES: Final = 256 * 1024
"""An exception whose pickle is larger travels without it."""

_PLATFORM_PACKAGES: Final = ("flyte", "flyteplane", "flyteapi", "runpy", "asyncio", "uvloop", "importlib", "concurrent")
_REASON_CLASSES: Final = {
    "ABORTED": "ActionAbortedError",
    "OUT_OF_MEMORY": "OOMError",
    "QUEUE_FULL": "ResourceExhaustedError",
}
"""Reasons of the platform that have an error class of their own."""

_PLAIN_CLASSES: Final = (RuntimeUserError, RuntimeSystemError, RuntimeUnknownError)


def error_to_proto(error: BaseException, *, mask: Mask | None = None) -> error_pb2.TaskError:
    """Return the message of an exception that a task's code raised.

    What `mask` recognises is in none of its fields; an exception that holds some of it travels without its pickle.
    """
    message = error_pb2.TaskError(
        kind=error_pb2.ERROR_KIND_USER,
        code=_shown(error_code(error), mask),
        message=_shown(_text_of(error), mask),
        traceback=_shown(user_traceback(error), mask),
        recoverable=not isinstance(error, NonRecoverableError),
        pickled_exception=_pickled(error, mask),
    )
    if isinstance(error, SystemExit):
        message.exit_code = _exit_code(error)
    return message


def error_from_proto(message: error_pb2.TaskError) -> BaseRuntimeError:
    """Return the error that a parent raises for a child that failed.

    It has `code` and `kind`; `remote_traceback` is the child's traceback, which is also shown below the error's own.
    """
    code = _REASON_CLASSES.get(message.code, message.code) or "UNKNOWN"
    kind = message.kind
    users_fault = kind in (error_pb2.ERROR_KIND_USER, error_pb2.ERROR_KIND_TIMEOUT, error_pb2.ERROR_KIND_REFUSED)
    error: Any = from_failure(code=code, kind="user" if users_fault else "system", message=message.message)
    error.recoverable = message.recoverable
    error.remote_traceback = message.traceback
    if message.traceback:
        error.add_note(f"\nThe task failed with:\n{message.traceback.rstrip()}")
    result: BaseRuntimeError = error
    return result


def error_for_parent(message: error_pb2.TaskError, original: BaseException | None) -> BaseRuntimeError:
    """Return the same, of the class of `flyte.errors` that `original` has, what the child raised, if it is known.

    Only a parent may ask: its code makes errors of these classes with codes of its own, and catches them by class.
    """
    error = error_from_proto(message)
    if type(error) not in _PLAIN_CLASSES or not isinstance(original, BaseRuntimeError):
        return error
    cls = next(cls for cls in type(original).__mro__ if cls.__module__.startswith("flyte."))
    seen: BaseRuntimeError = cls.__new__(cls, *error.args)
    seen.args = error.args
    seen.__dict__ |= {**vars(original), **vars(error), "kind": original.kind}
    return seen


def original_exception(message: error_pb2.TaskError) -> BaseException | None:
    """Return the exception that a child raised, if it could travel and can be made here; None otherwise."""
    pickled = message.pickled_exception
    if not pickled:
        return None
    from flyte.types.pickles import open_pickle

    try:
        original = open_pickle(pickled)
    except Exception:
        return None
    return original if isinstance(original, BaseException) else None


def error_code(error: BaseException) -> str:
    """Return the code that an exception travels under: its class name, or the code that an error of ours has."""
    code = getattr(error, "code", "") if isinstance(error, BaseRuntimeError) else ""
    return str(code or type(error).__name__)


def user_traceback(error: BaseException) -> str:
    """Return the traceback with the frames of user code only, causes included.

    An error that was raised outside of any user code keeps all frames, because they are then all there is to see,
    unless it is one of ours, whose message says what to do: that has none.
    """
    shown = traceback.TracebackException(type(error), error, error.__traceback__, lookup_lines=False)
    _drop_platform_frames(shown, error, set())
    return "".join(shown.format())


def cut(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """Return a text of at most `limit` bytes of UTF-8; one that was cut says so at its end."""
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= limit:
        return encoded.decode()
    marker = f"\n[cut: {len(encoded)} bytes in all]"
    return encoded[: limit - len(marker)].decode("utf-8", "ignore") + marker


def _drop_platform_frames(shown: traceback.TracebackException, error: BaseException, seen: set[int]) -> None:
    if id(shown) in seen:
        return
    seen.add(id(shown))
    users = [frame for frame in shown.stack if not is_platform_file(frame.filename)]
    if users:
        shown.stack = traceback.StackSummary.from_list(users)
    elif _is_ours(error):
        # Typed as always there, and left out of the text where it is None.
        shown.stack = cast(traceback.StackSummary, None)
    grouped = zip(shown.exceptions or (), getattr(error, "exceptions", ()), strict=False)
    chained = ((shown.__cause__, error.__cause__), (shown.__context__, error.__context__))
    for shown_inner, inner_error in (*chained, *grouped):
        if shown_inner is not None and inner_error is not None:
            _drop_platform_frames(shown_inner, inner_error, seen)
    if (cause := shown.__cause__) is not None and _says_nothing_new(cause, error.__cause__):
        shown.__cause__ = None


def _is_ours(error: BaseException | None) -> bool:
    return isinstance(error, BaseRuntimeError | TypeTransformerFailedError)


def _says_nothing_new(cause: traceback.TracebackException, error: BaseException | None) -> bool:
    """Tell whether a cause is a reason that the error itself quotes, raised by no code of the user."""
    quoted = isinstance(error, TypeTransformerFailedError) and not cause.stack
    return quoted and cause.__cause__ is None and cause.__context__ is None


def is_platform_file(filename: str) -> bool:
    """Tell whether a frame's file belongs to the SDK, the platform or the interpreter's own machinery."""
    if filename.startswith("<frozen "):
        return True
    return filename.startswith(_PLATFORM_FOLDERS) or filename in _PLATFORM_FILES


def _locate_platform() -> tuple[tuple[str, ...], frozenset[str]]:
    import importlib.util

    folders, files = [], set()
    for name in _PLATFORM_PACKAGES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None or not os.path.isabs(found.origin):
            continue
        if found.submodule_search_locations:
            folders.append(os.path.dirname(found.origin) + os.sep)
        else:
            files.add(found.origin)
    return tuple(folders), frozenset(files)


_PLATFORM_FOLDERS, _PLATFORM_FILES = _locate_platform()


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"<{type(error).__name__} whose __str__ raised {type(failure).__name__}>"


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1


def _shown(text: str, mask: Mask | None) -> str:
    # Cut last: half of a value at the end of what is left would not be recognised.
    return cut(text if mask is None else mask.text(text))


def _pickled(error: BaseException, mask: Mask | None) -> bytes:
    """Return the exception without its traceback as a pickle, or nothing: that it cannot travel is no error."""
    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(error)
    except Exception:
        return b""
    if len(data) > MAX_PICKLE_BYTES or (mask is not None and mask.occurs_in(data)):
        return b""
    return data
