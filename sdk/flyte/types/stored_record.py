"""What a record becomes where its class is not known: a dict whose entries are attributes as well.

The outputs of a run that is found by name are read so. Programs write `outputs[0].accuracy`, whether or not they have
the class that the task returned.
"""

from __future__ import annotations

from typing import Any


class StoredRecord(dict[str, Any]):
    """A record as it is stored: `record["name"]` and, unless a dict has a method of that name, `record.name`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the record has no field {name!r}; it has: {', '.join(self)}") from None
