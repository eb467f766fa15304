"""The settings of a process that user code can change for whoever comes after it on the same replica.

What a module sets while it is imported stays, because the module does: it is not imported again. What a task sets
while it runs is put back. Everything here is read after every attempt, so each look has to be cheap: all of them
together take a few microseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import locale
import logging
import resource
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

# What `signal` wraps: it makes enums of every answer, which costs more than all the rest.
_signal: Final[dict[str, Any]] = vars(import_module("_signal"))
_HANDLED: Final = tuple(
    int(number)
    for number in (
        *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD),
        *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE),
    )
)
_LIMITS: Final = (
    *(resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_STACK, resource.RLIMIT_CPU),
    *(resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE),
)
_filters: Final = warnings.filters
"""The very list that the interpreter looks at."""


class Setting(NamedTuple):
    """One of them. What `read` returns is compared, and given to `write` to have it so again."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], None]


def _attribute(owner: Any, name: str) -> Setting:
    owner_name = getattr(owner, "__name__", "logging.root")
    return Setting(f"{owner_name}.{name}", lambda: getattr(owner, name), lambda value: setattr(owner, name, value))


def _content(owner: Any, name: str) -> Setting:
    """A list that others hold on to: its content is put back into the same list."""
    found = getattr(owner, name)

    def write(content: Iterable[Any]) -> None:
        found[:] = content
        setattr(owner, name, found)

    return Setting(name, lambda: tuple(getattr(owner, name)), write)


def _write_handlers(handlers: Sequence[Any]) -> None:
    for number, handler in zip(_HANDLED, handlers, strict=True):
        # None is a handler that was not set from Python; it cannot be set from Python either.
        if handler is not None and _signal["getsignal"](number) != handler:
            signal.signal(number, handler)


def _write_filters(filters: Iterable[Any]) -> None:
    warnings.filters = _filters
    # Has Python forget which warnings it has shown under the other filters.
    warnings.resetwarnings()
    _filters[:] = filters  # type: ignore[index]  # declared as a sequence, and is a list


def _write_mask(mask: Iterable[int]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _write_locale(value: str) -> None:
    locale.setlocale(locale.LC_ALL, value)


def _write_limits(limits: Sequence[tuple[int, int]]) -> None:
    for which, limit in zip(_LIMITS, limits, strict=True):
        # A hard limit that a task has lowered can be raised by root only: it stays, and the soft one goes up to it.
        for wanted in (limit, (min(limit[0], resource.getrlimit(which)[1]), resource.getrlimit(which)[1])):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(which, wanted)
                break


def _write_level(level: int) -> None:
    logging.root.setLevel(level)


def _read_policy() -> Any:
    """The policy that user code has chosen; of the one that is there without a choice, whether it was used.

    `asyncio.run` uses it up: a later `get_event_loop` fails, or finds a loop that is closed. Python does not tell.
    """
    policy = asyncio.get_event_loop_policy()
    if type(policy) is not asyncio.DefaultEventLoopPolicy:
        return policy
    return bool(getattr(getattr(policy, "_local", None), "_set_called", False))


def _write_policy(wanted: Any) -> None:
    asyncio.set_event_loop_policy(None if isinstance(wanted, bool) else wanted)


_SETTINGS: Final = (
    _content(sys, "path"),
    _content(sys, "argv"),
    *(_attribute(sys, name) for name in ("stdin", "stdout", "stderr", "excepthook", "unraisablehook", "displayhook")),
    _attribute(threading, "excepthook"),
    Setting("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Setting("garbage collection", gc.isenabled, lambda enabled: gc.enable() if enabled else gc.disable()),
    Setting("garbage collection thresholds", gc.get_threshold, lambda counts: gc.set_threshold(*counts)),
    Setting("signal handlers", lambda: [_signal["getsignal"](number) for number in _HANDLED], _write_handlers),
    Setting("signal mask", lambda: _signal["pthread_sigmask"](signal.SIG_BLOCK, ()), _write_mask),
    Setting("warning filters", lambda: tuple(warnings.filters), _write_filters),
    _attribute(warnings, "showwarning"),
    _content(logging.root, "handlers"),
    _content(logging.root, "filters"),
    Setting("level of the root logger", lambda: logging.root.level, _write_level),
    Setting("disabled levels", lambda: logging.root.manager.disable, logging.disable),
    Setting("locale", lambda: locale.setlocale(locale.LC_ALL), _write_locale),
    Setting("timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Setting("limits", lambda: tuple(resource.getrlimit(which) for which in _LIMITS), _write_limits),
    Setting("event loop policy", _read_policy, _write_policy),
)


class ProcessState:
    """Knows how the settings are to be, beginning with how they are."""

    def __init__(self) -> None:
        self._wanted = [setting.read() for setting in _SETTINGS]

    def read(self) -> Sequence[Any]:
        """How they are; for `keep`."""
        return [setting.read() for setting in _SETTINGS]

    def keep(self, before: Sequence[Any]) -> None:
        """What has changed since `before` is to stay as it is now."""
        for number, (setting, value) in enumerate(zip(_SETTINGS, before, strict=True)):
            now = setting.read()
            if now != value:
                self._wanted[number] = now

    def put_back(self) -> None:
        """Makes them what they are to be."""
        for setting, wanted in zip(_SETTINGS, self._wanted, strict=True):
            if setting.read() != wanted:
                setting.write(wanted)
