"""Results in memory: for tests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flyteplane.cache.application.ports import Selection
from flyteplane.cache.domain.entries import Entry, EntryKey


class MemoryEntries:
    """Implements `Entries`."""

    def __init__(self) -> None:
        self._entries: dict[EntryKey, Entry] = {}

    async def find(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        """See the port."""
        return {key: self._entries[key] for key in keys if key in self._entries}

    async def put(self, items: Sequence[tuple[Entry, bool]]) -> Sequence[bool]:
        """See the port."""
        stored = []
        for entry, overwrite in items:
            wanted = overwrite or entry.key not in self._entries
            if wanted:
                self._entries[entry.key] = entry
            stored.append(wanted)
        return stored

    async def delete(self, selection: Selection) -> int:
        """See the port."""
        doomed = [key for key, entry in self._entries.items() if _selected(entry, selection)]
        for key in doomed:
            del self._entries[key]
        return len(doomed)

    async def page(
        self, *, project: str, domain: str, task_name: str, before: tuple[float, bytes] | None, limit: int
    ) -> Sequence[Entry]:
        """See the port."""
        found = [
            entry
            for entry in self._entries.values()
            if (entry.key.project, entry.key.domain) == (project, domain)
            and (not task_name or entry.task_name == task_name)
            and (before is None or (entry.created_at, entry.key.digest) < before)
        ]
        found.sort(key=lambda entry: (entry.created_at, entry.key.digest), reverse=True)
        return [replace(entry, outputs=b"") for entry in found[:limit]]

    async def close(self) -> None:
        """See the port."""


def _selected(entry: Entry, selection: Selection) -> bool:
    return (
        (not selection.project or (entry.key.project, entry.key.domain) == (selection.project, selection.domain))
        and (not selection.task_name or entry.task_name == selection.task_name)
        and (not selection.cache_version or entry.cache_version == selection.cache_version)
        and (selection.created_before is None or entry.created_at < selection.created_before)
        and (not selection.digests or entry.key.digest in selection.digests)
    )
