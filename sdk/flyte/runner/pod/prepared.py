"""Dataclasses that are made sooner: their generated methods come compiled, from a file that an image is built with.

`dataclasses` writes the text of some six methods for each class and compiles it, every time a process starts; for the
classes of this package that is a fifth of a worker's loading. `python -m flyte.runner.pod.prepared` loads what workers
load and notes text and code; `prepared()` gives the code to whatever asks for exactly that text. Without the file, or
with that of another Python, everything works as ever and takes longer.
"""

from __future__ import annotations

import dataclasses
import marshal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

FILE: Final = f"{__file__.removesuffix('.py')}.{sys.implementation.cache_tag}.marshal"
"""Beside this module, and trusted as bytecode is."""

Execute = Callable[[Any, dict[str, Any], dict[str, Any]], None]


@contextmanager
def prepared(file: str = FILE) -> Iterator[None]:
    """Classes that are defined in the block get their methods from the file."""
    codes = _read(file)

    def execute(text: Any, namespace: dict[str, Any], made: dict[str, Any]) -> None:
        code = codes.get(text)
        exec(text if code is None else marshal.loads(code), namespace, made)

    with _executing(execute):
        yield


def prepare(load: Callable[[], object], file: str = FILE) -> int:
    """Writes the file for the classes that are defined while `load` runs; returns how many texts it has."""
    codes: dict[str, bytes] = {}

    def note(text: Any, namespace: dict[str, Any], made: dict[str, Any]) -> None:
        code = compile(text, "<string>", "exec")
        codes[text] = marshal.dumps(code)
        exec(code, namespace, made)

    with _executing(note):
        load()
    with open(file, "wb") as target:
        marshal.dump((sys.hexversion, codes), target)
    return len(codes)


@cache
def _read(file: str) -> dict[str, bytes]:
    try:
        with open(file, "rb") as source:
            hexversion, codes = marshal.load(source)
    except (OSError, ValueError, TypeError, EOFError):
        return {}
    return codes if hexversion == sys.hexversion else {}


@contextmanager
def _executing(execute: Execute) -> Iterator[None]:
    """A global of that module hides the builtin function from it."""
    hidden = vars(dataclasses)
    hidden["exec"] = execute
    try:
        yield
    finally:
        del hidden["exec"]


def _load_all() -> None:
    import flyte.runner.pod.agent
    import flyte.runner.preload
    import flyte.runner.worker

    flyte.runner.preload.preload()


if __name__ == "__main__":
    print(f"{prepare(_load_all)} methods are prepared")
