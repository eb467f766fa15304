"""Environment variables of tasks that share one process.

A process has one environment, so variables hold for everything in it while an attempt runs, and are put back when the
last attempt that set them ends. Of attempts that run at the same time with different values for one variable, the one
that began last is heard.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Final

_ABSENT: Final = None


class VariableLayers:
    """Layers of variables over an environment. Safe to use from several threads."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._environment = environment
        self._lock = threading.Lock()
        self._below: dict[str, str | None] = {}
        self._layers: list[Mapping[str, str]] = []

    @contextmanager
    def applied(self, variables: Mapping[str, str]) -> Iterator[None]:
        """Lay variables over the environment inside the block."""
        if not variables:
            yield
            return
        layer = dict(variables)
        with self._lock:
            for name in layer:
                if not any(name in other for other in self._layers):
                    self._below[name] = self._environment.get(name, _ABSENT)
            self._layers.append(layer)
            self._show(layer)
        try:
            yield
        finally:
            with self._lock:
                self._layers = [other for other in self._layers if other is not layer]
                self._show(layer)

    def _show(self, names: Mapping[str, str]) -> None:
        for name in names:
            covering = next((layer[name] for layer in reversed(self._layers) if name in layer), _ABSENT)
            value = covering if covering is not _ABSENT else self._below.pop(name, _ABSENT)
            if value is _ABSENT:
                self._environment.pop(name, None)
            else:
                self._environment[name] = value


process_variables = VariableLayers(os.environ)
"""The layers over the environment of this process."""
