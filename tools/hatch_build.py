"""Generates the protobuf stubs when the package is built or installed, so that nobody can use stale ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtoBuildHook(BuildHookInterface[Any]):
    """Runs `gen_protos.generate` before the wheel, editable or not, collects its files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling once for each target; the parameters are hatchling's and not needed here."""
        if self.target_name == "wheel":
            _load_generator(Path(self.root)).generate(Path(self.root))


def _load_generator(root: Path) -> ModuleType:
    """Loads the generator from its file: hatchling runs hooks with neither the repository nor `tools` on the path."""
    location = importlib.util.spec_from_file_location("gen_protos", root / "tools" / "gen_protos.py")
    if location is None or location.loader is None:
        raise FileNotFoundError(f"tools/gen_protos.py is missing below {root}")
    module = importlib.util.module_from_spec(location)
    location.loader.exec_module(module)
    return module
