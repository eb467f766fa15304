"""What the controls of a form hold: texts under names, as a browser posts them and as a page shows them.

A page is always drawn from such a state, whether it comes from a task's defaults, from the inputs of an earlier run, or
from a post that has to be mended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_ROW: Final = re.compile(r"[0-9a-z]{1,20}")
MOST_ROWS: Final = 400


@dataclass(frozen=True, slots=True)
class FormState:
    """Texts by the name of their control."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """What was posted as a file or a folder: its name, by control."""

    @staticmethod
    def of(pairs: Iterable[tuple[str, str]], *, files: Mapping[str, str] | None = None) -> FormState:
        """The state of posted pairs. Browsers post line ends as CR LF; here they are LF."""
        values: dict[str, tuple[str, ...]] = {}
        for name, text in pairs:
            values[name] = (*values.get(name, ()), text.replace("\r\n", "\n"))
        return FormState(values, files or {})

    def text(self, name: str) -> str:
        """The text of a control; empty if it holds none."""
        texts = self.values.get(name)
        return texts[0] if texts else ""

    def has(self, name: str) -> bool:
        """Whether a control holds anything, as a ticked box does."""
        return name in self.values

    def rows(self, name: str) -> tuple[str, ...]:
        """Ids of the rows of a list or dict, each once, in order."""
        rows = dict.fromkeys(row for row in self.values.get(name, ()) if _ROW.fullmatch(row))
        return tuple(rows)

    def below(self, name: str) -> FormState:
        """What the control of that name and those inside of it hold."""
        prefix = f"{name}."
        values = {key: texts for key, texts in self.values.items() if key == name or key.startswith(prefix)}
        files = {key: file for key, file in self.files.items() if key == name or key.startswith(prefix)}
        return FormState(values, files)
