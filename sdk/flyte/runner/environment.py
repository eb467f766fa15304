"""Environment variables of attempts: the worker's own, and on top of them those of the attempt that runs.

A replica runs attempts of one task after another, which differ in a variable or two, so only differences are written.
What user code has changed is found by comparing the mapping as a whole and undone before the next attempt.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Final, cast

# The mapping inside `os.environ`, as bytes: comparing it takes a microsecond, going through `os.environ` thirty.
_raw: Final = cast(dict[bytes, bytes], vars(os.environ)["_data"])
#: The variable that the C library looks at only when it is told to.
_TIME_ZONE: Final = "TZ"


class AttemptEnvironment:
    """Puts variables in place; made when the environment is the worker's own."""

    def __init__(self) -> None:
        self._own = dict(os.environ)
        self._present = self._own.copy()
        self._raw_present = dict(_raw)
        self._by_modules: dict[str, str] = {}

    @property
    def was_changed(self) -> bool:
        """Whether user code has changed it."""
        return _raw != self._raw_present

    def put_in_place(self, variables: Mapping[str, str]) -> None:
        """Makes the environment the worker's own with `variables`, and nothing else."""
        if _raw != self._raw_present:
            self._present = dict(os.environ)
        wanted = {**self._own, **variables, **self._by_modules}
        for name in self._present.keys() - wanted.keys():
            del os.environ[name]
            if name == _TIME_ZONE:
                time.tzset()
        self._write(wanted)
        self._present = wanted
        self._raw_present = _raw.copy()

    def add(self, variables: Mapping[str, str]) -> None:
        """Adds variables of a further attempt beside others that run."""
        if _raw != self._raw_present:
            self._present = dict(os.environ)
        added = {**variables, **self._by_modules}
        self._write(added)
        self._present = {**self._present, **added}
        self._raw_present = _raw.copy()

    def keep(self) -> None:
        """Keeps what was changed since variables were put in place last: modules did it while they were imported.

        Of the platform's own variables, which differ from one attempt to the next, nothing is kept.
        """
        if _raw == self._raw_present:
            return
        found = dict(os.environ)
        for name in found.keys() | self._present.keys():
            if name not in found:
                self._own.pop(name, None)
            elif found[name] != self._present.get(name) and not name.startswith("FLYTE_"):
                self._by_modules[name] = found[name]
        self._present, self._raw_present = found, _raw.copy()

    def _write(self, variables: Mapping[str, str]) -> None:
        present = self._present
        for name, value in variables.items():
            if present.get(name) != value:
                os.environ[name] = value
                if name == _TIME_ZONE:
                    time.tzset()
