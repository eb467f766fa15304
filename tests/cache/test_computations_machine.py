"""Reservations and stores in any order, repeated, late and with lapses: what has to hold after every step."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from tests.cache.stage import TTL_S, Stage, key

from flyteplane.cache.domain.entries import PutOutcome

OWNERS = st.sampled_from(["a", "b", "c"])
KEYS = st.sampled_from([1, 2])


class ComputationsMachine(RuleBasedStateMachine):
    """Owners that crash, come back, repeat themselves and are late."""

    reservations = Bundle("reservations")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stage = self.loop.run_until_complete(self._staged())
        self.newest: dict[int, int] = {}
        """The token that each key was given out with last."""
        self.held: list[tuple[int, int]] = []
        self.given_up: set[int] = set()
        """Tokens that ended when somebody asked for a value and was given it: he has the key himself for a moment."""
        self.stored: dict[int, bytes] = {}

    async def _staged(self) -> Stage:
        return Stage()

    def teardown(self) -> None:
        """Ends the loop."""
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    @rule(target=reservations, number=KEYS, owner=OWNERS, overwrite=st.booleans())
    def reserve(self, number: int, owner: str, overwrite: bool) -> object:
        """Somebody wants to compute."""
        granted = self.loop.run_until_complete(self.stage.reserve(key(number), owner, overwrite=overwrite))
        if granted.entry is not None:
            assert not overwrite
            assert granted.entry.outputs == self.stored[number]
            self.given_up |= {token for key, token in self.held if key == number}
            return multiple()
        held = granted.reservation
        assert held is not None
        if not held.acquired:
            assert held.owner != owner
            return multiple()
        assert held.token >= self.newest.get(number, 0)
        self.newest[number] = held.token
        self.held.append((number, held.token))
        return (number, owner, held.token)

    @rule(held=reservations, overwrite=st.booleans())
    def store(self, held: tuple[int, str, int], overwrite: bool) -> None:
        """A store comes, perhaps late, perhaps again."""
        number, owner, token = held
        outcome = self.loop.run_until_complete(self.stage.put(key(number), owner, token, overwrite=overwrite))
        self.loop.run_until_complete(asyncio.sleep(0))
        if outcome is PutOutcome.STORED:
            assert token == self.newest[number], "nobody has taken the key since"
            assert overwrite or number not in self.stored
            self.stored[number] = owner.encode()
        elif outcome is PutOutcome.FENCED:
            assert token < self.newest[number] or token in self.given_up
        else:
            assert number in self.stored

    @rule(held=consumes(reservations))
    def release(self, held: tuple[int, str, int]) -> None:
        """Somebody gives up."""
        number, _, token = held
        self.loop.run_until_complete(self.stage.computations.release([(key(number), token)]))

    @rule(held=reservations)
    def extend(self, held: tuple[int, str, int]) -> None:
        """Somebody is still there."""
        number, _, token = held
        (lives,) = self.loop.run_until_complete(self.stage.computations.extend([(key(number), token)]))
        assert not lives or token == self.newest[number]

    @rule(seconds=st.sampled_from([1.0, TTL_S / 2, TTL_S + 1]))
    def time_passes(self, seconds: float) -> None:
        """Reservations end."""
        self.stage.pass_time(seconds)

    @rule()
    def restart(self) -> None:
        """The service begins anew."""
        self.stage.start()

    @invariant()
    def what_was_stored_last_is_found(self) -> None:
        """A value is there whole, and is the one that was acknowledged last."""
        for number in (1, 2):
            assert self.loop.run_until_complete(self.stage.value(key(number))) == self.stored.get(number)


TestComputations = ComputationsMachine.TestCase
TestComputations.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
