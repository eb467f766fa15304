"""Looking up, storing, listing and deleting results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flyteplane.cache.application.ports import Entries, Selection, StoredObjects
from flyteplane.cache.domain.entries import MOST_ITEMS, Entry, EntryKey, Item, PutOutcome, is_usable, refuse_bad_scope
from flyteplane.cache.domain.limits import CacheLimits, Totals
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import InvalidArgument, PlatformError

#: The use of an entry is noted so often, not each time: a hit costs no write.
USE_NOTED_EVERY_S: Final = 3600.0
#: Uses that wait to be noted; more of them are not noted at all.
_MOST_USES: Final = 100_000


class Results:
    """The cache's use cases. Every hit is the outputs of one successful attempt with the same key."""

    def __init__(self, *, entries: Entries, objects: StoredObjects, clock: Clock, limits: CacheLimits) -> None:
        self._entries = entries
        self._objects = objects
        self._clock = clock
        self._limits = limits
        self.on_put: Callable[[Sequence[tuple[Item, PutOutcome]]], None] = lambda put: None
        """Told what became of items, after it is durable."""
        self._used: dict[EntryKey, None] = {}

    async def lookup(self, queries: Sequence[tuple[EntryKey, float | None]]) -> list[Entry | None]:
        """One result for each key with its greatest age in seconds, in order. Raises InvalidArgument for too many."""
        bounded(len(queries), field="queries")
        found = await self._entries.find([key for key, _ in queries])
        now = self._clock.now()
        usable = [
            entry
            if (entry := found.get(key)) is not None and is_usable(entry, max_age_s=self._limits.age_for(age), now=now)
            else None
            for key, age in queries
        ]
        gone = await self._without_objects([entry for entry in usable if entry is not None])
        hits = [entry if entry is not None and entry.key not in gone else None for entry in usable]
        self._note_use([entry for entry in hits if entry is not None], now)
        return hits

    async def put(self, items: Sequence[Item]) -> Sequence[PutOutcome]:
        """Stores a batch in one transaction. What was computed under a reservation that another has by now is left
        out."""
        bounded(len(items), field="items")
        now = self._clock.now()
        made = [
            replace(
                item,
                max_age_s=self._limits.age_for(item.max_age_s),
                entry=replace(item.entry, created_at=now, used_at=now, size_bytes=len(item.entry.outputs)),
            )
            for item in items
        ]
        outcomes = await self._entries.put(made)
        self.on_put(list(zip(made, outcomes, strict=True)))
        return outcomes

    async def delete(self, selection: Selection) -> Totals:
        """Deletes entries of a scope. Raises InvalidArgument for a selection of everything."""
        refuse_bad_scope(selection.project, selection.domain)
        bounded(len(selection.digests), field="keys")
        conditions = (selection.task_name, selection.cache_version, selection.created_before, selection.digests)
        if not any(conditions):
            raise InvalidArgument(
                "nothing says which results to delete",
                field="task_name",
                mend="Name a task, a version, an age or keys.",
            )
        return await self._entries.delete(selection)

    async def page(self, selection: Selection, *, before: tuple[float, bytes] | None, limit: int) -> Sequence[Entry]:
        """Entries of a scope, newest first."""
        refuse_bad_scope(selection.project, selection.domain)
        return await self._entries.page(selection, before=before, limit=limit)

    async def write_down_uses(self) -> None:
        """Makes durable what was used since the last time."""
        used, self._used = self._used, {}
        if used:
            await self._entries.touch(list(used), at=self._clock.now())

    async def _without_objects(self, entries: Sequence[Entry]) -> Mapping[EntryKey, None]:
        """Keys of entries that are worth nothing, because data that they refer to is gone; these are removed."""
        addresses = [address for entry in entries for address in entry.objects]
        if not addresses:
            return {}
        try:
            missing = set(await self._objects.missing(addresses))
        except PlatformError:
            # Nobody can say whether it is there: computed again, and kept for better days.
            return {entry.key: None for entry in entries if entry.objects}
        doomed = [entry for entry in entries if not missing.isdisjoint(entry.objects)]
        if doomed:
            await self._entries.remove(doomed)
        return dict.fromkeys(entry.key for entry in doomed)

    def _note_use(self, entries: Sequence[Entry], now: float) -> None:
        for entry in entries:
            if now - entry.used_at >= USE_NOTED_EVERY_S and len(self._used) < _MOST_USES:
                self._used[entry.key] = None


def bounded(count: int, *, field: str) -> None:
    """Raises InvalidArgument for more items than one request may have."""
    if count > MOST_ITEMS:
        raise InvalidArgument(
            f"{count} in one request", field=field, limit=f"{MOST_ITEMS}", mend="Send several requests."
        )
