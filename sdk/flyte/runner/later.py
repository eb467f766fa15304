"""What a worker loads only when it needs it, so that a task's first line does not wait for it.

A project may hold a file with the name of a module of the standard library, such as `secrets.py`, or a folder `google`.
Once its folder is searched, whatever is loaded later would get that, so for such projects everything is loaded before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Final

_PACKAGES: Final = frozenset({"flyteapi", "google"})
"""What is loaded later and is not of the standard library, as far as others may use the name."""
LATER: Final = (
    *("flyte.runner.masked_output", "ctypes", "hashlib", "json", "random", "tempfile", "traceback", "uuid"),
    *(
        "flyte.runner.child_tasks",
        "flyte.runner.isolation",
        "flyte.runner.report",
        "flyte.runner.traces",
        "flyte.spec.digests",
        "flyte.spec.trace_context",
        "flyte.spec.worker_endings",
        "flyte.storage.objects",
        "flyte.types.interface",
    ),
    *("flyte.types.untyped_values", "flyte.wire.errors", "flyte.wire.task_spec"),
)
"""Modules whose loading loads all the others."""


def load_before_searching(folders: Sequence[str]) -> None:
    """Loads everything now if a file in one of the folders would be taken for one of the modules."""
    present = {name.partition(".")[0] for folder in folders for name in _entries(folder)}
    # What is loaded already cannot be hidden, and nobody needs the tests of Python itself.
    if present & (sys.stdlib_module_names | _PACKAGES) - sys.modules.keys() - {"test"}:
        load_all()
        _load_deferred()


def load_all() -> None:
    """Loads everything now."""
    for module in LATER:
        import_module(module)


def _load_deferred() -> None:
    from flyte.runner.pod.deferred import MESSAGES, SELDOM_USED

    for module in (*MESSAGES, *SELDOM_USED):
        # Pythons without one of them have gone without it so far.
        with suppress(ImportError):
            import_module(module)


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
