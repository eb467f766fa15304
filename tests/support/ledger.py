"""The book in which tasks write down that they ran: one line for each start of an attempt, appended whole."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any


class Ledger:
    """Reads the book."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._path = path
        self.path = str(path)

    def entries(self) -> list[dict[str, Any]]:
        """All lines, in the order in which they were written."""
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def starts(self) -> Counter[str]:
        """How often each action began."""
        return Counter(entry["action"] for entry in self.entries())

    def assert_ran_once(self, actions: set[str]) -> None:
        """Fails unless each of the actions began exactly once."""
        starts = self.starts()
        wrong = {action: starts[action] for action in actions if starts[action] != 1}
        assert not wrong, f"finished actions that did not run exactly once: {wrong}"
