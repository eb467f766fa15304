"""The coordination store in this process, for the embedded platform, tests and the simulation.

Deterministic: given the same calls and the same clock it makes the same revisions, lease ids and changes. It is as
strict as the real store, and as forgetful as a process: an embedded platform that starts again passes an
`initial_revision` above any that it used before, so that epochs keep growing.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from flyteplane.coordination.memory_mirror import MemoryMirror
from flyteplane.coordination.port import Coordination
from flyteplane.coordination.values import (
    MOST_OPERATIONS,
    NO_LEASE,
    Change,
    Compare,
    CompareOperator,
    CompareTarget,
    Delete,
    KeyValue,
    Operation,
    Put,
    TxnResult,
)
from flyteplane.foundation.clock import Timer, TimerClock
from flyteplane.foundation.errors import InvalidArgument, NotFound

#: Less than this a clock may not tell apart: a timer that is armed again for it would fire for ever.
_LEAST_S: Final = 0.001
#: What a condition sees of a key that does not exist.
_ABSENT: Final = KeyValue("", b"", create_revision=0, mod_revision=0, version=0)


@dataclass(slots=True)
class _Lease:
    ttl_s: float
    expires_at: float
    timer: Timer
    keys: set[str] = field(default_factory=set)


class MemoryCoordination(Coordination):
    """See `Coordination`.

    Args:
        clock: decides when leases end.
        initial_revision: the revision before the first change.
    """

    def __init__(self, *, clock: TimerClock, initial_revision: int = 0) -> None:
        self._clock = clock
        self._revision = initial_revision
        self._keys: dict[str, KeyValue] = {}
        self._leases: dict[int, _Lease] = {}
        self._lease_ids = itertools.count(initial_revision + 1)
        # In the order of their coming: sets would wake them in another order in each process.
        self._mirrors: dict[MemoryMirror, None] = {}

    @property
    def revision(self) -> int:
        """The revision of the newest change."""
        return self._revision

    async def get(self, key: str) -> KeyValue | None:
        return self._keys.get(key)

    async def list(self, prefix: str) -> Sequence[KeyValue]:
        return self._below(prefix)

    async def put(self, key: str, value: bytes, *, lease_id: int = NO_LEASE) -> int:
        return self._apply([Put(key, value, lease_id)])

    async def delete(self, key: str) -> bool:
        existed = key in self._keys
        self._apply([Delete(key)])
        return existed

    async def txn(
        self,
        *,
        when: Sequence[Compare],
        then: Sequence[Operation] = (),
        otherwise: Sequence[Operation] = (),
    ) -> TxnResult:
        for operations in (then, otherwise):
            _check_size(operations)
            _check_once(operations)
        succeeded = all(self._holds(compare) for compare in when)
        return TxnResult(succeeded, self._apply(then if succeeded else otherwise))

    async def grant(self, ttl_s: float) -> int:
        if ttl_s <= 0:
            raise InvalidArgument("a lease needs a ttl above 0 seconds", field="ttl_s", limit="> 0 s")
        lease_id = next(self._lease_ids)
        timer = self._clock.call_later(ttl_s, self._expiry(lease_id))
        self._leases[lease_id] = _Lease(ttl_s, self._clock.monotonic() + ttl_s, timer)
        return lease_id

    async def keep_alive(self, lease_id: int) -> float:
        lease = self._lease(lease_id)
        lease.expires_at = self._clock.monotonic() + lease.ttl_s
        return lease.ttl_s

    async def time_to_live(self, lease_id: int) -> float | None:
        lease = self._leases.get(lease_id)
        return None if lease is None else max(lease.expires_at - self._clock.monotonic(), 0.0)

    async def revoke(self, lease_id: int) -> None:
        self._end(lease_id)

    def mirror(self, prefix: str) -> MemoryMirror:
        return MemoryMirror(
            lambda: (self._below(prefix), self._revision),
            prefix,
            lambda mirror: self._mirrors.setdefault(mirror),
            lambda mirror: self._mirrors.pop(mirror, None),
        )

    async def close(self) -> None:
        for lease in self._leases.values():
            lease.timer.cancel()

    def _below(self, prefix: str) -> Sequence[KeyValue]:
        return [self._keys[key] for key in sorted(self._keys) if key.startswith(prefix)]

    def _lease(self, lease_id: int) -> _Lease:
        lease = self._leases.get(lease_id)
        if lease is None:
            raise NotFound(f"lease {lease_id:x} has ended or never was", reason="LEASE_NOT_FOUND")
        return lease

    def _expiry(self, lease_id: int) -> Callable[[], None]:
        def expire() -> None:
            lease = self._leases.get(lease_id)
            if lease is None:
                return
            remaining = lease.expires_at - self._clock.monotonic()
            if remaining > 0:
                # Renewed since: renewals only move the deadline, which keeps them cheap.
                lease.timer = self._clock.call_later(max(remaining, _LEAST_S), expire)
            else:
                self._end(lease_id)

        return expire

    def _end(self, lease_id: int) -> None:
        lease = self._leases.pop(lease_id, None)
        if lease is None:
            return
        lease.timer.cancel()
        self._apply([Delete(key) for key in sorted(lease.keys)])

    def _holds(self, compare: Compare) -> bool:
        kept = self._keys.get(compare.key)
        if kept is None and compare.target is CompareTarget.VALUE:
            return False
        found = _target(kept or _ABSENT, compare.target)
        expected = compare.expected
        match compare.operator:
            case CompareOperator.EQUAL:
                return found == expected
            case CompareOperator.NOT_EQUAL:
                return found != expected
            case CompareOperator.LESS:
                return found < expected  # type: ignore[operator]  # both are of the target's type
            case CompareOperator.GREATER:
                return found > expected  # type: ignore[operator]  # the same

    def _apply(self, operations: Sequence[Operation]) -> int:
        """Apply all operations at one new revision and tell the mirrors; the revision stays when nothing changes."""
        self._check(operations)
        revision = self._revision + 1
        changes: list[Change] = []
        for operation in operations:
            if isinstance(operation, Put):
                changes.append(self._write(operation, revision))
            else:
                keys = [kept.key for kept in self._below(operation.key)] if operation.prefix else [operation.key]
                changes.extend(self._remove(key) for key in keys if key in self._keys)
        if changes:
            self._revision = revision
            for mirror in list(self._mirrors):
                mirror.apply(changes, revision)
        return self._revision

    def _check(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, Put) and operation.lease_id != NO_LEASE:
                self._lease(operation.lease_id)

    def _write(self, put: Put, revision: int) -> Change:
        previous = self._keys.get(put.key)
        if previous is not None and previous.lease_id in self._leases:
            self._leases[previous.lease_id].keys.discard(put.key)
        if put.lease_id != NO_LEASE:
            self._leases[put.lease_id].keys.add(put.key)
        created = previous.create_revision if previous else revision
        version = previous.version + 1 if previous else 1
        current = KeyValue(put.key, put.value, created, revision, version, put.lease_id)
        self._keys[put.key] = current
        return Change(put.key, previous, current)

    def _remove(self, key: str) -> Change:
        previous = self._keys.pop(key)
        if previous.lease_id in self._leases:
            self._leases[previous.lease_id].keys.discard(key)
        return Change(key, previous, None)


def _check_size(operations: Sequence[Operation]) -> None:
    if len(operations) > MOST_OPERATIONS:
        raise InvalidArgument(
            f"a transaction has {len(operations)} operations", reason="TOO_LARGE", limit=f"{MOST_OPERATIONS} operations"
        )


def _check_once(operations: Sequence[Operation]) -> None:
    """Refuse to write a key twice, or to write and remove it, whichever side is applied: etcd does so too."""
    puts = [operation.key for operation in operations if isinstance(operation, Put)]
    deletes = [operation for operation in operations if isinstance(operation, Delete)]
    for key in puts:
        removed = any(key.startswith(gone.key) if gone.prefix else key == gone.key for gone in deletes)
        if removed or puts.count(key) > 1:
            raise InvalidArgument("a transaction writes a key twice", reason="DUPLICATE_KEY")


def _target(kept: KeyValue, target: CompareTarget) -> int | bytes:
    match target:
        case CompareTarget.CREATE_REVISION:
            return kept.create_revision
        case CompareTarget.MOD_REVISION:
            return kept.mod_revision
        case CompareTarget.VERSION:
            return kept.version
        case CompareTarget.VALUE:
            return kept.value
