"""What others see of a failure: the same as on a platform, where the task died in another process."""

from __future__ import annotations

import functools
from contextlib import suppress
from types import MemberDescriptorType
from typing import Any

from flyte.errors import BaseRuntimeError, RuntimeUserError


def as_seen_by_parent(error: Exception) -> BaseRuntimeError:
    """Return the error that a parent catches: the one that a platform makes of code, kind and message.

    What the child raised becomes its cause, and loses the traceback, which the error tells already.
    """
    from flyte.wire.errors import error_for_parent, error_to_proto

    seen = error_for_parent(error_to_proto(error), error)
    error.__traceback__ = None
    return seen


def as_raised_by_run(error: Exception) -> Exception:
    """Return what `flyte.run` raises when the root task has raised something.

    It is a RuntimeUserError with the code that a platform gives, and of the class that the task raised as well, which
    is known here. Where no class can be both, as with slots, what the task raised is its cause.
    """
    if isinstance(error, BaseRuntimeError):
        return error
    kind: Any = type(error)
    told = RuntimeUserError(kind.__name__, str(error))
    try:
        raised = _without_constructors(_both(kind), error.args)
    except TypeError:
        told.__cause__ = error
        return told.with_traceback(error.__traceback__)
    raised.args = error.args
    _take_over_fields(error, raised)
    raised.__dict__ |= {**vars(error), **vars(told)}
    raised.__cause__, raised.__context__ = error.__cause__, error.__context__
    raised.__suppress_context__ = error.__suppress_context__
    return raised.with_traceback(error.__traceback__)


def _without_constructors(kind: type[Exception], args: tuple[Any, ...]) -> Exception:
    """An exception of a class of users', whose own constructors may take anything."""
    builtin: Any = next(base for base in kind.__mro__[2:] if base.__module__ == "builtins" and base is not RuntimeError)
    made: Exception = builtin.__new__(kind, *args)
    builtin.__init__(made, *args)
    return made


def _take_over_fields(error: Exception, raised: Exception) -> None:
    """Copy what classes keep beside `args`: the name of a file that is missing, of a module, of an attribute."""
    kind: Any = type(error)
    for name in _fields(kind):
        # What is not set is None here, and is not the same as None in an OSError.
        if (value := getattr(error, name, None)) is not None:
            with suppress(AttributeError, TypeError):  # some can be read only
                setattr(raised, name, value)


@functools.cache
def _fields(kind: Any) -> tuple[str, ...]:
    owners = (base for base in kind.__mro__ if base is not BaseException)
    members = ((name, member) for base in owners for name, member in vars(base).items())
    return tuple(
        name for name, member in members if isinstance(member, MemberDescriptorType) and not name.startswith("__")
    )


@functools.cache
def _both(kind: Any) -> Any:
    """A class that is a RuntimeUserError and this one, under this one's name. Raises TypeError if there can be none."""
    body = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__reduce__": _without_the_class}
    return type(kind.__name__, (RuntimeUserError, kind), body)


def _without_the_class(error: RuntimeUserError) -> tuple[Any, ...]:
    # No other process could import it.
    return RuntimeUserError(error.code, error.message, error.worker).__reduce__()
