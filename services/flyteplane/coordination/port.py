"""The port to the coordination store.

Two adapters: memory, for the embedded platform and for tests, and etcd. Both pass `tests/contracts/coordination`.
Statuses of the store never pass through: an adapter raises Unavailable when the store cannot be reached, and then it
is unknown whether a write took effect; read it back before trying again.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from flyteplane.coordination.election import Leadership, elect
from flyteplane.coordination.keeper import HeldLease
from flyteplane.coordination.values import NO_LEASE, Change, Compare, KeyValue, Operation, TxnResult


class Mirror(Protocol):
    """A local copy of every key below a prefix, kept up to date.

    Use it as a context manager: inside, `snapshot` is complete, and iterating gives the changes since, in batches.
    After a lost connection the copy is compared with the store and the differences come as changes, so there is never
    a gap. What a slow reader has not taken is merged key by key: memory is bounded by the number of keys.
    """

    @property
    def snapshot(self) -> Mapping[str, KeyValue]:
        """The copy as it is now. A live view: copy it to keep it."""

    @property
    def revision(self) -> int:
        """The revision that the copy has reached."""

    def __aiter__(self) -> AsyncIterator[Sequence[Change]]:
        """The changes since the copy was first complete, then each batch as it comes. One reader."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Coordination(Protocol):
    """A small, strongly consistent key-value store with leases."""

    async def get(self, key: str) -> KeyValue | None:
        """The key, or None."""

    async def list(self, prefix: str) -> Sequence[KeyValue]:
        """Every key that starts with `prefix`, in order of the keys."""

    async def put(self, key: str, value: bytes, *, lease_id: int = NO_LEASE) -> int:
        """Write a key; returns the revision. Raises NotFound (LEASE_NOT_FOUND) when the lease has ended."""

    async def delete(self, key: str) -> bool:
        """Remove a key; returns whether it existed."""

    async def txn(
        self,
        *,
        when: Sequence[Compare],
        then: Sequence[Operation] = (),
        otherwise: Sequence[Operation] = (),
    ) -> TxnResult:
        """Apply `then` if every condition holds, else `otherwise`, as one step.

        Raises NotFound (LEASE_NOT_FOUND) when a put names a lease that has ended; nothing is applied then.
        Raises InvalidArgument (TOO_LARGE) for more than `MOST_OPERATIONS`.
        Raises InvalidArgument (DUPLICATE_KEY) when either side writes a key twice, or writes and removes it.
        """

    async def grant(self, ttl_s: float) -> int:
        """A new lease that ends unless it is kept alive at least every `ttl_s` seconds. Returns its id, never 0.

        The store may grant a longer ttl, never a shorter one; etcd counts whole seconds and has a least ttl.
        """

    async def keep_alive(self, lease_id: int) -> float:
        """Renew a lease; returns its ttl in seconds. Raises NotFound (LEASE_NOT_FOUND) when it has ended."""

    async def time_to_live(self, lease_id: int) -> float | None:
        """Seconds that the lease has left, or None when it has ended. etcd rounds down to whole seconds."""

    async def revoke(self, lease_id: int) -> None:
        """End a lease and remove its keys. Nothing happens when it has ended already."""

    def mirror(self, prefix: str) -> Mirror:
        """A mirror of the keys below `prefix`."""

    async def elect(self, name: str, *, lease: HeldLease, value: bytes = b"") -> Leadership:
        """Wait until this process leads `name`, and say so until the lease is lost or the leadership resigned."""
        return await elect(self, name, lease=lease, value=value)

    async def close(self) -> None:
        """Let go of connections. Leases end by themselves."""
