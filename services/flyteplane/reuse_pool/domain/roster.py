"""The replicas of one pool, shelved by how much they can take, so that choosing one takes constant time.

Shelf 0 holds idle replicas, shelf 1 + n those with n attempts at work that would take another. Overflow replicas
stand on no shelf: they are chosen only for attempts that somebody waits for. After any change to a replica its owner
calls `settle`.
"""

from collections.abc import Iterator

from flyteplane.reuse_pool.domain.replica import Replica, ReplicaState


class Roster:
    """Replicas by name, and the figures that decisions need."""

    __slots__ = (
        *("_concurrency", "_lent_limit", "_lowest", "_shelves"),
        *("active", "by_name", "draining", "overflow", "sharing", "starting"),
    )

    def __init__(self, *, concurrency: int, lent_limit: int) -> None:
        self._concurrency = concurrency
        self._lent_limit = lent_limit
        self._shelves: list[dict[Replica, None]] = [{} for _ in range(concurrency + 1)]
        self._lowest = 0
        self.by_name: dict[str, Replica] = {}
        self.overflow: dict[Replica, None] = {}
        """Overflow replicas that start or are warm."""
        self.draining = 0
        self.starting = 0
        self.active = 0
        """Warm replicas with an attempt at work."""
        self.sharing = 0
        """Warm replicas with attempts that share."""

    def __len__(self) -> int:
        return len(self.by_name)

    def __iter__(self) -> Iterator[Replica]:
        return iter(self.by_name.values())

    @property
    def accepting(self) -> int:
        """Replicas that take attempts now or soon, overflow included."""
        return len(self.by_name) - self.draining

    @property
    def regular(self) -> int:
        """Replicas that take attempts now or soon, overflow left out."""
        return len(self.by_name) - self.draining - len(self.overflow)

    @property
    def idle(self) -> int:
        """Idle replicas on the shelf."""
        return len(self._shelves[0])

    def add(self, replica: Replica) -> None:
        """Add a replica that starts."""
        self.by_name[replica.name] = replica
        self.starting += 1
        if replica.overflow:
            self.overflow[replica] = None

    def remove(self, replica: Replica) -> None:
        """Remove a replica that is gone."""
        self._leave(replica)
        if replica.state is ReplicaState.DRAINING:
            self.draining -= 1
        self.overflow.pop(replica, None)
        self._shelve(replica, -1)
        self._count(replica, active=False, sharing=False)
        del self.by_name[replica.name]

    def set_state(self, replica: Replica, state: ReplicaState) -> None:
        """Move a replica on."""
        self._leave(replica)
        replica.state = state
        if state is ReplicaState.DRAINING:
            self.draining += 1
            self.overflow.pop(replica, None)
        self.settle(replica)

    def promote(self, replica: Replica) -> None:
        """Make a regular replica of an overflow replica."""
        replica.overflow = False
        self.overflow.pop(replica, None)
        self.settle(replica)

    def choose_idle(self) -> Replica | None:
        """The regular replica that became idle last; those idle for longer may go."""
        shelf = self._shelves[0]
        return next(reversed(shelf)) if shelf else None

    def choose_shared(self) -> Replica | None:
        """The least loaded regular replica that takes an attempt beside what it has."""
        shelves = self._shelves
        while self._lowest <= self._concurrency:
            shelf = shelves[self._lowest]
            if shelf:
                return next(reversed(shelf))
            self._lowest += 1
        return None

    def settle(self, replica: Replica) -> None:
        """Put a replica where it belongs after it changed."""
        warm = replica.state is ReplicaState.WARM
        self._count(
            replica,
            active=warm and replica.running > 0,
            sharing=warm and not replica.exclusive and bool(replica.attempts),
        )
        if not warm or replica.overflow:
            self._shelve(replica, -1)
        elif not replica.attempts:
            self._shelve(replica, 0)
        elif replica.reserved or not self.has_room(replica):
            self._shelve(replica, -1)
        else:
            self._shelve(replica, 1 + replica.running)

    def has_room(self, replica: Replica) -> bool:
        """Whether a replica, shelved or not, takes another attempt that shares."""
        return (
            not replica.exclusive
            and replica.running < self._concurrency
            and len(replica.attempts) - replica.running < self._lent_limit
        )

    def _shelve(self, replica: Replica, position: int) -> None:
        before = replica.position
        if before == position:
            return
        if before >= 0:
            del self._shelves[before][replica]
        if position >= 0:
            self._shelves[position][replica] = None
            self._lowest = min(self._lowest, position)
        replica.position = position

    def _count(self, replica: Replica, *, active: bool, sharing: bool) -> None:
        if replica.counted_active is not active:
            replica.counted_active = active
            self.active += 1 if active else -1
        if replica.counted_sharing is not sharing:
            replica.counted_sharing = sharing
            self.sharing += 1 if sharing else -1

    def _leave(self, replica: Replica) -> None:
        if replica.state is ReplicaState.STARTING:
            self.starting -= 1
