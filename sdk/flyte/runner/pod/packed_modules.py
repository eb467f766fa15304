"""Modules that are found sooner: those that a worker loads first lie compiled in one file of the image.

Python looks for a module in folder after folder and opens a file for it. For the two hundred modules of a worker that
takes a sixth of their loading. The file is made when an image is built, see `flyte.runner.pod.prepared`. It gives a
module only while modules are searched in the same folders as then, and while its source has the same size and the same
time of change, which is what Python asks of its own bytecode. Any other module is loaded as ever.

This module comes before all others, so it imports only what every interpreter has loaded when it starts.
"""

from __future__ import annotations

import _thread
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, SourceFileLoader

# Not from `typing`, which is one of the modules that are found sooner.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import CodeType, ModuleType
    from typing import Any

    Place = tuple[int, int]
    """Where a piece begins, and how long it is."""

_INIT = "/__init__.py"
_LENGTH_BYTES = 8


class PackedFile:
    """A table, and pieces of bytecode of which only those that are asked for are read. Trusted as bytecode is.

    The table is empty if there is no such file, or one of another Python. Any thread may ask, also while it is closed.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = _thread.allocate_lock()
        self._descriptor = -1
        self._start = 0
        self.table: Mapping[str, Any] = {}
        try:
            with open(path, "rb") as file:
                length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
                table = marshal.loads(file.read(length))
                if table["python"] == sys.hexversion:
                    self.table = table
        except (OSError, ValueError, TypeError, EOFError, KeyError, OverflowError, MemoryError):
            return
        self._start = _LENGTH_BYTES + length

    def open(self) -> None:
        """From now on there are pieces, as far as there is a table. Raises OSError."""
        if self.table:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Nothing is read from it any more."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def code(self, place: Place) -> CodeType | None:
        """One piece; None if the file is closed or damaged."""
        start, length = place
        try:
            with self._lock:
                if self._descriptor < 0:
                    return None
                content = os.pread(self._descriptor, length, self._start + start)
            code: CodeType = marshal.loads(content)
        except (OSError, ValueError, TypeError, EOFError):
            return None
        return code


def write_packed_file(path: str, table: Mapping[str, Any], pieces: Iterable[bytes]) -> None:
    """Writes the file as `PackedFile` reads it."""
    content = marshal.dumps({**table, "python": sys.hexversion})
    with open(path, "wb") as target:
        target.write(len(content).to_bytes(_LENGTH_BYTES, "little") + content + b"".join(pieces))


class PackedModules:
    """Finds modules in a packed file; for the front of `sys.meta_path`."""

    def __init__(self, file: PackedFile) -> None:
        self._file = file
        # The first one is mostly that of the program, or the working folder.
        known = file.table.get("folders") in (sys.path[1:], sys.path)
        self._modules: Mapping[str, tuple[str, int, int, Place | None, str | None]] = (
            file.table["modules"] if known else {}
        )

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if (found := self._modules.get(name)) is None:
            return None
        origin, size, changed, place, cached = found
        try:
            state = os.stat(origin)
        except OSError:
            return None
        if (state.st_size, int(state.st_mtime)) != (size, changed):
            return None
        loader = ExtensionFileLoader(name, origin) if place is None else _PackedLoader(name, origin, self._file, place)
        is_package = origin.endswith(_INIT)
        spec = ModuleSpec(name, loader, origin=origin, is_package=is_package)
        spec.has_location = True
        # To work it out takes longer than to find the module.
        spec.cached = cached
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(origin.removesuffix(_INIT))
        return spec


class _PackedLoader(SourceFileLoader):
    """That of the module's own file, which whoever asks the module for its loader may go on to use."""

    def __init__(self, name: str, path: str, file: PackedFile, place: Place) -> None:
        super().__init__(name, path)
        self._file = file
        self._place = place

    def get_code(self, fullname: str) -> CodeType | None:
        return self._file.code(self._place) or super().get_code(fullname)


def describe_modules(modules: Iterable[ModuleType]) -> tuple[dict[str, Any], list[bytes]]:
    """The table of modules that are loaded, as far as they come from files of their own, and the pieces it is about."""
    described: dict[str, Any] = {}
    pieces: list[bytes] = []
    position = 0
    for module in modules:
        spec = getattr(module, "__spec__", None)
        if spec is None or not spec.has_location or sys.modules.get(spec.name) is not module:
            continue
        place = None
        if isinstance(spec.loader, SourceFileLoader):
            pieces.append(marshal.dumps(spec.loader.get_code(spec.name)))
            place = (position, len(pieces[-1]))
            position += len(pieces[-1])
        elif not isinstance(spec.loader, ExtensionFileLoader):
            continue
        state = os.stat(spec.origin)
        described[spec.name] = (spec.origin, state.st_size, int(state.st_mtime), place, spec.cached)
    return described, pieces
