"""What is loaded sooner because it was prepared when the image was built: modules, dataclasses, regular expressions.

- Modules come from one file, see `packed_modules`, and what they import without need is left for later, see `deferred`.
- `dataclasses` writes the text of some six methods for each class and compiles it, every time a process starts. The
  file has them compiled, and gives the code to whatever asks for exactly that text.
- So it does for the regular expressions that modules compile while they are loaded.

`python -m flyte.runner.pod.prepared` loads what workers load first and writes the file. Without it, or with that of
another Python, everything works as ever and takes longer.
"""

from __future__ import annotations

import sys

from flyte.runner.pod.packed_modules import PackedFile, PackedModules, describe_modules, write_packed_file

# Not from `typing`, which itself is to be found sooner.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import CodeType, ModuleType
    from typing import Any

    Pattern = tuple[str | bytes, int]
    """What is compiled, and with which flags."""

FILE = f"{__file__.removesuffix('.py')}.{sys.implementation.cache_tag}.marshal"
"""Beside this module, and trusted as bytecode is."""

_LOADED_FIRST = (
    *("flyte.runner.pod.deferred", "flyte.runner.pod.common", "flyte.runner.pod.agent", "flyte.runner.pod.child"),
    *("flyte.authoring.task_environment", "flyte.runner.worker", "flyte.runner.pod.head_start", "tarfile", "zlib"),
    *("concurrent.futures.thread", "flyteapi.scheduler.v1.worker_data_service_pb2"),
)
"""Modules whose loading loads all that agent and worker need before a task's first line."""

_files: dict[str, PackedFile] = {}
"""Those that were read, for processes that are forked as well."""


class prepared:
    """What is loaded in the block comes from the file, as far as it is there.

    Args:
        later: further modules that are not loaded before something of them is used.
    """

    def __init__(self, file: str = FILE, *, later: Sequence[str] = ()) -> None:
        self._later = later
        if file not in _files:
            _files[file] = PackedFile(file)
        self._file = _files[file]
        self._modules = PackedModules(self._file)

    def __enter__(self) -> None:
        self._file.open()
        sys.meta_path.insert(0, self._modules)
        from flyte.runner.pod.deferred import SELDOM_USED, deferred

        self._deferred = deferred(*SELDOM_USED, *self._later)
        self._deferred.__enter__()
        self._compiling = _Compiling(self._execute, self._pattern)

    def __exit__(self, *_: object) -> None:
        self._compiling.undo()
        self._deferred.__exit__()
        sys.meta_path.remove(self._modules)
        self._file.close()

    def _execute(self, text: str, namespace: dict[str, Any], made: dict[str, Any]) -> None:
        exec(self._file.table.get("texts", {}).get(text, text), namespace, made)

    def _pattern(self, pattern: Any, flags: int = 0) -> Any:
        compiled = self._file.table.get("patterns", {}).get((pattern, int(flags)))
        if compiled is None:
            return self._compiling.compile_pattern(pattern, flags)
        return self._compiling.engine.compile(pattern, *compiled)


class _Compiling:
    """Others compile for `dataclasses` and for `re`, until it is undone."""

    def __init__(self, execute: Callable[..., None], compile_pattern: Callable[..., Any]) -> None:
        import dataclasses
        import re  # noqa: F401 -- it loads the module that is meant

        self._dataclasses = vars(dataclasses)
        self._patterns = vars(sys.modules["re._compiler"])
        self.compile_pattern = self._patterns["compile"]
        self.engine = self._patterns["_sre"]
        # A global of that module hides the builtin function from it.
        self._dataclasses["exec"] = execute
        self._patterns["compile"] = compile_pattern

    def undo(self) -> None:
        """They do it themselves again."""
        del self._dataclasses["exec"]
        self._patterns["compile"] = self.compile_pattern

    def replace_engine(self, engine: Any) -> None:
        """What `re` compiles goes through something else from now on."""
        self._patterns["_sre"] = engine


class _Notes:
    """Compiles as ever, and notes what came out."""

    def __init__(self) -> None:
        self.codes: dict[str, CodeType] = {}
        self.patterns: dict[Pattern, tuple[Any, ...]] = {}
        self._compiling = _Compiling(self._execute, self._pattern)

    def undo(self) -> None:
        """Nothing more is noted."""
        self._compiling.undo()

    def _execute(self, text: str, namespace: dict[str, Any], made: dict[str, Any]) -> None:
        code = self.codes[text] = compile(text, "<string>", "exec")
        exec(code, namespace, made)

    def _pattern(self, pattern: Any, flags: int = 0) -> Any:
        if isinstance(pattern, str | bytes):
            self._compiling.replace_engine(_NotingEngine(self._compiling.engine, self.patterns, (pattern, int(flags))))
        try:
            return self._compiling.compile_pattern(pattern, flags)
        finally:
            self._compiling.replace_engine(self._compiling.engine)


class _NotingEngine:
    """The engine of `re`, whose `compile` is given what a pattern was compiled to."""

    def __init__(self, engine: Any, notes: dict[Pattern, tuple[Any, ...]], pattern: Pattern) -> None:
        self._engine = engine
        self._notes = notes
        self._pattern = pattern

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def compile(
        self, pattern: Any, flags: int, code: list[int], groups: int, names: Mapping[str, int], indices: tuple[Any, ...]
    ) -> Any:
        words = [int(word) for word in code]
        self._notes[self._pattern] = (int(flags), words, groups, dict(names), indices)
        return self._engine.compile(pattern, flags, code, groups, names, indices)


def prepare(
    load: Callable[[], object],
    file: str = FILE,
    *,
    modules: Callable[[], Iterable[ModuleType]] = lambda: list(sys.modules.values()),
) -> None:
    """Writes the file for what is compiled while `load` runs, and for modules that are there then."""
    notes = _Notes()
    try:
        load()
    finally:
        notes.undo()
    described, pieces = describe_modules(modules())
    table = {"folders": sys.path[1:], "modules": described, "texts": notes.codes, "patterns": notes.patterns}
    write_packed_file(file, table, pieces)


def _load_first() -> None:
    from importlib import import_module

    for module in _LOADED_FIRST:
        import_module(module)


if __name__ == "__main__":
    prepare(_load_first)
