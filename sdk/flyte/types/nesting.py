"""How deep messages may be nested, and what is written deeper.

A parser refuses messages beyond 100 levels. Annotations have few levels of their own, so only two things can get there:
plain lists and dicts, and classes that contain themselves. Both count their levels here while they are written, and
what lies too deep is written as a pickle.
"""

from __future__ import annotations

import threading
from typing import Final

from flyte.types.codec import Value, Write
from flyte.types.pickles import write_pickle

LIST_LEVELS: Final = 2
DICT_LEVELS: Final = 3
RECORD_LEVELS: Final = 10
"""What a class may need until it comes to itself again: a struct, a union, a list or dict, and some more."""

_MOST_LEVELS: Final = 75


class _Depth(threading.local):
    levels = 0


_depth = _Depth()


def counted(write: Write, levels: int) -> Write:
    """Return a writer that counts so many levels while it writes, and pickles what would be too deep."""

    def write_counted(message: Value, value: object) -> None:
        if _depth.levels >= _MOST_LEVELS:
            write_pickle(message, value)
            return
        _depth.levels += levels
        try:
            write(message, value)
        finally:
            _depth.levels -= levels

    return write_counted
