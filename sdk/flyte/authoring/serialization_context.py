"""What a task's spec is made with, for plugins that write parts of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyte.authoring.bundles import CodeBundle


@dataclass(frozen=True, slots=True)
class SerializationContext:
    """What a task version is made with, beside the task itself."""

    version: str
    project: str | None = None
    domain: str | None = None
    org: str | None = None
    code_bundle: CodeBundle | None = None
    input_path: str = "{{.input}}"
    output_path: str = "{{.outputPrefix}}"
    interpreter_path: str = "/opt/venv/bin/python"
    image_cache: Any = None
    root_dir: Path | None = None

    def get_entrypoint_path(self, interpreter_path: str | None = None) -> str:
        """Return the path of the worker's program beside an interpreter."""
        return str(Path(interpreter_path or self.interpreter_path).with_name("runtime.py"))
