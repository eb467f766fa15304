"""What a task says about itself to people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Documentation:
    """The documentation of a task; its docstring where nothing else is given."""

    description: str

    @property
    def short_description(self) -> str:
        """The first paragraph, on one line."""
        return " ".join(self.description.strip().partition("\n\n")[0].split())


def description_of(docs: object) -> str:
    """Return the text of a `Documentation`, a plain str, or nothing."""
    if docs is None:
        return ""
    return docs.description if isinstance(docs, Documentation) else str(docs)
