"""Results in memory: for tests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from flyteplane.cache.application.ports import Selection
from flyteplane.cache.domain.entries import Entry, EntryKey, Item, PutOutcome, put_outcome
from flyteplane.cache.domain.limits import Totals


class MemoryEntries:
    """Implements `Entries`."""

    def __init__(self) -> None:
        self._entries: dict[EntryKey, Entry] = {}
        self._holders: dict[EntryKey, tuple[int, float]] = {}
        self._era = 0

    async def find(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        """See the port."""
        return {key: self._entries[key] for key in keys if key in self._entries}

    async def put(self, items: Sequence[Item]) -> Sequence[PutOutcome]:
        """See the port."""
        outcomes = []
        for item in items:
            key = item.entry.key
            outcome = put_outcome(item, present=self._entries.get(key), holder=self._holders.get(key, (None, 0))[0])
            if outcome is PutOutcome.STORED:
                self._entries[key] = item.entry
            outcomes.append(outcome)
        return outcomes

    async def hold(self, tokens: Sequence[tuple[EntryKey, int]], *, at: float) -> Sequence[bool]:
        """See the port."""
        for key, token in tokens:
            if self._holders.get(key, (0, 0.0))[0] <= token:
                self._holders[key] = (token, at)
        return [self._holders[key][0] == token for key, token in tokens]

    async def touch(self, keys: Sequence[EntryKey], *, at: float) -> None:
        """See the port."""
        for key in keys:
            if key in self._entries:
                self._entries[key] = replace(self._entries[key], used_at=at)

    async def remove(self, entries: Sequence[Entry]) -> int:
        """See the port."""
        doomed = [
            one.key
            for one in entries
            if (there := self._entries.get(one.key)) is not None and _identity(there) == _identity(one)
        ]
        return self._drop(dict.fromkeys(doomed)).entries

    async def delete(self, selection: Selection) -> Totals:
        """See the port."""
        return self._drop([key for key, entry in self._entries.items() if _selected(entry, selection)])

    async def page(self, selection: Selection, *, before: tuple[float, bytes] | None, limit: int) -> Sequence[Entry]:
        """See the port."""
        found = [
            entry
            for entry in self._entries.values()
            if _selected(entry, selection) and (before is None or (entry.created_at, entry.key.digest) < before)
        ]
        found.sort(key=lambda entry: (entry.created_at, entry.key.digest), reverse=True)
        return [replace(entry, outputs=b"") for entry in found[:limit]]

    async def totals(self) -> Totals:
        """See the port."""
        return Totals(entries=len(self._entries), bytes=sum(entry.size_bytes for entry in self._entries.values()))

    async def evict(self, much: Totals, *, most: int) -> Totals:
        """See the port."""
        gone = Totals()
        for entry in sorted(self._entries.values(), key=lambda one: one.used_at)[:most]:
            if gone.entries >= much.entries and gone.bytes >= much.bytes:
                break
            gone = gone.plus(self._drop([entry.key]))
        return gone

    async def expire(self, *, created_before: float, most: int) -> Totals:
        """See the port."""
        return self._drop([key for key, one in self._entries.items() if one.created_at < created_before][:most])

    async def forget_tokens(self, *, held_before: float) -> None:
        """See the port."""
        for key in [key for key, (_, at) in self._holders.items() if at < held_before]:
            del self._holders[key]

    async def next_era(self) -> int:
        """See the port."""
        self._era += 1
        return self._era

    async def close(self) -> None:
        """See the port."""

    def _drop(self, keys: Iterable[EntryKey]) -> Totals:
        gone = [self._entries.pop(key) for key in keys]
        return Totals(entries=len(gone), bytes=sum(entry.size_bytes for entry in gone))


def _identity(entry: Entry) -> tuple[str, float]:
    return entry.producer, entry.created_at


def _selected(entry: Entry, selection: Selection) -> bool:
    return (
        (entry.key.project, entry.key.domain) == (selection.project, selection.domain)
        and (not selection.task_name or entry.task_name == selection.task_name)
        and (not selection.cache_version or entry.cache_version == selection.cache_version)
        and (selection.created_before is None or entry.created_at < selection.created_before)
        and (not selection.digests or entry.key.digest in selection.digests)
    )
