"""Requests that come twice, late, or in another order than they were sent."""

from __future__ import annotations

import asyncio

import pytest
from tests.secrets.conftest import ON_BOTH, Platform

from flyteplane.foundation.errors import AlreadyExists, InvalidArgument
from flyteplane.foundation.repetition import REQUESTS_KEPT_S

pytestmark = ON_BOTH


async def test_a_create_that_is_sent_again_gets_the_same_answer(platform: Platform) -> None:
    first = await platform.create("token", b"value", request_id="one")
    platform.clock.advance(5.0)
    assert await platform.create("token", b"value", request_id="one") == first
    with pytest.raises(AlreadyExists):
        await platform.create("token", b"value", request_id="two")
    assert await platform.resolve("token") == [(b"value", 1)]


async def test_an_update_that_is_sent_again_makes_no_second_version(platform: Platform) -> None:
    await platform.create("token")
    first = await platform.update("token", b"second", request_id="one")
    assert await platform.update("token", b"second", request_id="one") == first
    assert await platform.resolve("token") == [(b"second", 2)]


async def test_a_late_repetition_does_not_undo_what_came_after_it(platform: Platform) -> None:
    await platform.create("token", b"first", request_id="one")
    await platform.update("token", b"second", request_id="two")
    await platform.update("token", b"third", request_id="three")
    assert (await platform.update("token", b"second", request_id="two")).version == 2
    assert (await platform.create("token", b"first", request_id="one")).version == 1
    assert await platform.resolve("token") == [(b"third", 3)]
    await platform.delete("token")
    assert (await platform.create("token", b"first", request_id="one")).version == 1
    assert await platform.audited()
    with pytest.raises(Exception, match="not found"):
        await platform.resolve("token")


async def test_a_delete_that_is_sent_again_deletes_nothing_that_came_after_it(platform: Platform) -> None:
    await platform.create("token", b"first")
    await platform.delete("token", request_id="one")
    await platform.delete("token", request_id="one")
    await platform.create("token", b"second")
    await platform.delete("token", request_id="one")
    assert await platform.resolve("token") == [(b"second", 3)]


async def test_repetitions_at_the_same_time_store_one_version(platform: Platform) -> None:
    made = await asyncio.gather(*(platform.create("token", request_id="one") for _ in range(5)))
    assert {one.version for one in made} == {1}
    made = await asyncio.gather(*(platform.update("token", b"second", request_id="two") for _ in range(5)))
    assert {one.version for one in made} == {2}
    assert await platform.resolve("token") == [(b"second", 2)]


async def test_repetitions_are_known_after_a_restart_and_not_for_ever(platform: Platform) -> None:
    await platform.create("token", request_id="one")
    await platform.stop()
    await platform.start()
    assert (await platform.create("token", request_id="one")).version == 1
    platform.clock.advance(REQUESTS_KEPT_S + 1)
    await platform.create("other", request_id="two")
    with pytest.raises(AlreadyExists):
        await platform.create("token", request_id="one")


async def test_an_id_is_for_one_request(platform: Platform) -> None:
    await platform.create("token", request_id="one")
    with pytest.raises(AlreadyExists) as caught:
        await platform.create("other", request_id="one")
    assert (caught.value.reason, caught.value.field) == ("REQUEST_ID_REUSED", "request_id")


@pytest.mark.parametrize("request_id", ["x" * 65, "a\n"])
async def test_a_malformed_id_is_refused(platform: Platform, request_id: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await platform.create("token", request_id=request_id)
    assert caught.value.field == "request_id"
