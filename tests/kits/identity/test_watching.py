"""Streams that end with the credential that opened them."""

from __future__ import annotations

import asyncio

import pytest

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unauthenticated
from flyteplane.identity.revocations import Revocations
from flyteplane.identity.watching import serve_while_allowed


class Looks:
    """A check of the caller, each look of which ends when it is told to."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()

    async def next(self) -> asyncio.Future[None]:
        """The next look that is begun. The clocks of the tests stand still, so none is begun for the time."""
        return await asyncio.wait_for(self.begun.get(), timeout=20)

    async def __call__(self) -> None:
        look: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun.put_nowait(look)
        await look


async def test_what_is_taken_away_during_a_look_makes_for_another_one_at_once() -> None:
    looks, revocations = Looks(), Revocations()
    stream = asyncio.ensure_future(
        serve_while_allowed(asyncio.sleep(3600), looks, changed=revocations.wait, clock=ManualClock())
    )
    first = await looks.next()
    revocations.note()
    first.set_result(None)
    second = await looks.next()
    second.set_exception(Unauthenticated("it was revoked", reason="KEY_REVOKED"))
    with pytest.raises(Unauthenticated):
        await stream


async def test_what_was_taken_away_before_the_stream_began_ends_it_at_once() -> None:
    looks = Looks()
    stream = asyncio.ensure_future(
        serve_while_allowed(asyncio.sleep(3600), looks, changed=Revocations().wait, clock=ManualClock())
    )
    (await looks.next()).set_exception(Unauthenticated("it was revoked", reason="KEY_REVOKED"))
    with pytest.raises(Unauthenticated):
        await stream
