"""What a task says about itself to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Documentation:
    """The documentation of a task; its docstring where nothing else is given."""

    description: str

    @classmethod
    def of_docstring(cls, text: str) -> Self:
        """What a docstring says, without the indentation that it has in its source.

        As `inspect.cleandoc`, which a pod would have to load for it before its task can begin.
        """
        first, *rest = text.expandtabs().split("\n")
        margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
        return cls("\n".join((first.lstrip(), *(line[margin:] for line in rest))).strip("\n"))

    @property
    def short_description(self) -> str:
        """The first paragraph, on one line."""
        return " ".join(self.description.strip().partition("\n\n")[0].split())


def description_of(docs: object) -> str:
    """Return the text of a `Documentation`, a plain str, or nothing."""
    if docs is None:
        return ""
    return docs.description if isinstance(docs, Documentation) else str(docs)
