"""Removing many objects."""

from flyteplane.objects.port import ObjectStore


async def remove_below(store: ObjectStore, prefix: str) -> int:
    """Remove all objects whose keys begin with `prefix`; returns how many there were. Raises Unavailable, with some of
    them gone."""
    removed, after = 0, ""
    while True:
        page = await store.list(prefix, after=after)
        for info in page.objects:
            await store.delete(info.key)
        removed += len(page.objects)
        if not page.next_after:
            return removed
        after = page.next_after
