"""The mirror of etcd: a listing, then a watch from there on, for ever.

How it never has a gap: each watch begins one revision after the last one that the copy holds. That is the revision of
the listing, then the modification revision of the last event, or the revision of a progress notice, which etcd sends
when no event is on its way. The header of an answer with events may be ahead of them and is never used.

What makes it list again and compare: revisions compacted away that it has not seen; a store whose revision is behind
the copy's (it was restored from a backup); and a while gone by, because a watch may have defects of its own. Losing a
connection is no reason.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Final, Self

from etcdserverpb.key_value_pb2 import Event
from etcdserverpb.watch_pb2 import WatchResponse
from flyteplane.coordination.etcd.client import EtcdClient
from flyteplane.coordination.etcd.errors import Compacted
from flyteplane.coordination.etcd.keyspace import Keyspace
from flyteplane.coordination.etcd.reading import Listing, read_all
from flyteplane.coordination.etcd.watch import Patience, watch
from flyteplane.coordination.pending import MirroredKeys
from flyteplane.coordination.values import Change, KeyValue
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import get_logger

_log = get_logger("coordination")

#: The pauses before a lost watch is begun again, in seconds: the first, doubled up to the longest.
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


class EtcdMirror:
    """See `Mirror`.

    Args:
        prefix: of the keys to mirror, as the port names them.
        compare_s: after so many seconds the copy is compared with the store, whatever the watch said.
    """

    def __init__(
        self,
        client: EtcdClient,
        keyspace: Keyspace,
        prefix: str,
        *,
        clock: TimerClock,
        patience: Patience,
        compare_s: float,
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._keys = keyspace.below(prefix)
        self._clock = clock
        self._patience = patience
        self._compare_s = compare_s
        self._copy = MirroredKeys()
        self._pause_s = 0.0
        self._tasks = BackgroundTasks(f"mirror of {prefix!r}")

    @property
    def snapshot(self) -> Mapping[str, KeyValue]:
        return self._copy.snapshot

    @property
    def revision(self) -> int:
        return self._copy.revision

    def __aiter__(self) -> AsyncIterator[Sequence[Change]]:
        return self._copy.read()

    async def __aenter__(self) -> Self:
        listing = await self._list()
        self._copy.begin(listing.kept, listing.revision)
        self._tasks.start(self._follow(), name="watch")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._copy.close()
        await self._tasks.stop()

    async def stop(self) -> None:
        """Follow no longer; the copy stays as it is."""
        await self._tasks.stop()

    async def _follow(self) -> None:
        compare = False
        while True:
            try:
                if compare:
                    self._compare(await self._list())
                compare = True
                await self._watch()
            except Compacted:
                _log.info("mirror_overtaken_by_compaction")
            except PlatformError as error:
                # The copy holds all up to its revision, so that a new watch has only to go on from there.
                compare = False
                await self._pause(error)
            except Exception:
                _log.error("mirror_failed", exc_info=True)
                await self._pause(None)

    async def _watch(self) -> None:
        """Apply what comes, until it is time to compare or the store turns out to be behind the copy."""
        until = self._clock.monotonic() + self._compare_s
        responses = watch(
            self._client,
            self._keys,
            start_revision=self._copy.revision + 1,
            clock=self._clock,
            patience=self._patience,
        )
        async with aclosing(responses):
            async for response in responses:
                self._pause_s = 0.0
                if response.created and response.header.revision < self._copy.revision and await self._is_behind():
                    return
                self._apply(response)
                if self._clock.monotonic() >= until:
                    return

    def _apply(self, response: WatchResponse) -> None:
        # After a reconnection events that were seen already may come again.
        events = [event for event in response.events if event.kv.mod_revision > self._copy.revision]
        for event in events:
            if event.type == Event.DELETE:
                self._copy.remove(self._keyspace.key(event.kv.key))
            else:
                self._copy.write(self._keyspace.key_value(event.kv))
        if events:
            self._copy.reached(events[-1].kv.mod_revision)
        elif not (response.events or response.created) and response.watch_id >= 0:
            self._copy.reached(max(response.header.revision, self._copy.revision))

    async def _is_behind(self) -> bool:
        """Whether the store itself has gone back, rather than one member being late."""
        return (await self._list()).revision < self._copy.revision

    def _compare(self, listing: Listing) -> None:
        if listing.revision < self._copy.revision:
            _log.warning("coordination_store_has_gone_back", before=self.revision, now=listing.revision)
        self._copy.replace(listing.kept, listing.revision)

    async def _list(self) -> Listing:
        return await read_all(self._client, self._keyspace, self._keys)

    async def _pause(self, error: PlatformError | None) -> None:
        if not self._pause_s and error is not None:
            _log.warning("mirror_waits_for_coordination_store", problem=str(error))
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S) or _FIRST_PAUSE_S
        await self._clock.sleep(self._pause_s)
