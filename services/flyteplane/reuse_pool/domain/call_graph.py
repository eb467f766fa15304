"""Who waits for whom.

The pool relays the calls of the attempts that it runs, so it knows for which children they wait; a child that comes
to a pool is recognised by its run and name. That tells a backlog that holds up its own parents from one that is
merely long, and a circle that nothing can break from one that only takes time. One graph serves all pools of a
service, because a circle may lead through several of them.
"""

from flyteplane.reuse_pool.domain.attempt import Attempt, Stage
from flyteplane.reuse_pool.domain.turns import Turns


class CallGraph:
    """The attempts of all pools and the calls between them."""

    __slots__ = ("_attempts", "_callers", "turns")

    def __init__(self) -> None:
        self._attempts: dict[tuple[str, str], Attempt] = {}
        self._callers: dict[tuple[str, str], Attempt] = {}
        self.turns = Turns()

    @property
    def empty(self) -> bool:
        """Whether no pool has an attempt and nobody waits for any."""
        return not self._attempts and not self._callers

    def add(self, attempt: Attempt) -> None:
        """Note an attempt that came to a pool, and whether somebody waits for it."""
        key = (attempt.run, attempt.action)
        self._attempts[key] = attempt
        attempt.awaited = key in self._callers

    def remove(self, attempt: Attempt) -> None:
        """Forget an attempt that is over, and what it waited for."""
        key = (attempt.run, attempt.action)
        if self._attempts.get(key) is attempt:
            del self._attempts[key]
        self.calls_off(attempt)

    def called(self, attempt: Attempt, call: int, name: str) -> Attempt | None:
        """Note a call. Returns the child if it is in a pool already."""
        attempt.calls[call] = name
        key = (attempt.run, name)
        self._callers[key] = attempt
        return self._attempts.get(key)

    def answered(self, attempt: Attempt, call: int) -> bool:
        """Note the result of a call. Returns whether the call was open."""
        name = attempt.calls.pop(call, None)
        if name is None:
            return False
        key = (attempt.run, name)
        if self._callers.get(key) is attempt:
            del self._callers[key]
        return True

    def calls_off(self, attempt: Attempt) -> None:
        """The attempt waits for nothing any more."""
        for call in list(attempt.calls):
            self.answered(attempt, call)

    def can_progress(self, attempt: Attempt) -> bool:
        """Whether an attempt that holds a slot may get on without a further slot in a stuck pool."""
        seen: set[int] = set()
        open_attempts = [attempt]
        while open_attempts:
            current = open_attempts.pop()
            if current.lease in seen:
                continue
            seen.add(current.lease)
            if not current.calls or current.stage is not Stage.PLACED:
                return True
            for name in current.calls.values():
                child = self._attempts.get((current.run, name))
                if child is None or (child.stage is Stage.WAITING and not self.turns.is_stuck(child.pool)):
                    return True
                if child.stage is not Stage.WAITING:
                    open_attempts.append(child)
        return False
