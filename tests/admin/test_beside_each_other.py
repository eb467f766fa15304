"""Requests at the same time, and answers of the store that are lost: one run, one object, and no trigger undone."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from tests.admin.conftest import Admin
from tests.admin.test_signed_uploads import CONTENT, OneProject, upload
from tests.admin.test_stores import new_run
from tests.admin.test_triggers import advance, deploy, get, minutes, put, trigger
from tests.support.interleaving import interrupted

from flyteapi.admin.v1.trigger_service_pb2 import (
    DeleteTriggerRequest,
    SetTriggerActiveRequest,
    TriggerId,
)
from flyteplane.admin.application.abort_run import AbortRun
from flyteplane.admin.application.create_run import CreateRun
from flyteplane.admin.application.objects import Objects
from flyteplane.admin.application.outbox import Outbox
from flyteplane.admin.application.ports import RunStore, Scheduler
from flyteplane.admin.clients.refusals import encode_refusal
from flyteplane.admin.domain.project import Project
from flyteplane.admin.domain.run import RunKey, RunPhase, RunProgress, Submission
from flyteplane.admin.store.addresses import SignedAddresses
from flyteplane.admin.store.preparation import MIGRATIONS
from flyteplane.admin.store.projects import SqlProjectStore
from flyteplane.admin.store.runs import SqlRunStore
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import OUTCOME_UNKNOWN, InvalidArgument, NotFound, PlatformError, Unavailable
from flyteplane.foundation.ids import SeededIds
from flyteplane.objects import MemoryObjectStore, ObjectStore
from flyteplane.records import open_migrated

RUN = new_run("r1", request_id="q1")
DRAFT = RUN.draft
REFUSAL = InvalidArgument("no cluster can run it", reason="NO_CLUSTER")


class Taker:
    """The scheduler, as far as it is handed runs: it answers when it is told to, and refuses as often as it is told."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.refusals: deque[PlatformError] = deque()
        self.taken: list[Submission] = []
        self.aborted: list[RunKey] = []

    async def accept(self, submission: Submission) -> None:
        self.asked.set()
        await self.answers.wait()
        if self.refusals:
            raise self.refusals.popleft()
        self.taken.append(submission)

    async def abort(self, run: RunKey, *, action: str, reason: str) -> RunPhase:
        if run not in [taken.run for taken in self.taken]:
            raise NotFound("no such run", reason="RUN_NOT_FOUND")
        self.aborted.append(run)
        return RunPhase.ABORTED


class Stage:
    """One process of admin, as far as it submits runs."""

    def __init__(self, runs: RunStore) -> None:
        self.runs = runs
        self.clock = ManualClock()
        self.taker = Taker()

    def outbox(self, runs: RunStore) -> Outbox:
        scheduler = cast("Scheduler", self.taker)
        return Outbox(runs=runs, scheduler=scheduler, clock=self.clock, ids=SeededIds(), encode_refusal=encode_refusal)

    def abort(self, runs: RunStore) -> AbortRun:
        return AbortRun(runs=runs, outbox=self.outbox(runs), scheduler=cast("Scheduler", self.taker))

    def create(self, runs: RunStore, outbox: Outbox) -> CreateRun:
        return CreateRun(runs=runs, outbox=outbox, clock=self.clock, ids=SeededIds())


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    database = await open_migrated(f"sqlite:///{tmp_path}/admin.db", package=MIGRATIONS)
    await SqlProjectStore(database).create(Project(id="p", domains=("d",)))
    yield Stage(SqlRunStore(database))
    await database.close()


async def lose_the_answer() -> None:
    raise Unavailable("the database was lost during a commit", reason=OUTCOME_UNKNOWN)


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refused_again", [False, True])
async def test_a_repetition_is_not_told_of_a_run_that_was_taken_back_meanwhile(
    stage: Stage, refused_again: bool
) -> None:
    outbox = stage.outbox(stage.runs)
    stage.taker.refusals.extend([REFUSAL] * (1 + refused_again))
    first = asyncio.ensure_future(stage.create(stage.runs, outbox)(DRAFT))
    await stage.taker.asked.wait()

    async def first_is_refused() -> None:
        stage.taker.answers.set()
        with pytest.raises(InvalidArgument):
            await first

    again = stage.create(interrupted(stage.runs, first_is_refused, after=1), outbox)
    if refused_again:
        with pytest.raises(InvalidArgument):
            await again(DRAFT)
    else:
        assert (await again(DRAFT)).created
    assert [taken.run for taken in stage.taker.taken] == ([] if refused_again else [RUN.key])
    assert (await stage.runs.get(RUN.key) is None) is refused_again
    await outbox.close()


@pytest.mark.parametrize("stored", [True, False])
async def test_a_run_whose_storing_was_not_answered_is_delivered_if_it_is_stored(stage: Stage, stored: bool) -> None:
    outbox = stage.outbox(stage.runs)
    stage.taker.answers.set()
    runs = interrupted(stage.runs, lose_the_answer, after=1 if stored else 0, before=0 if stored else 1)
    with pytest.raises(Unavailable):
        await stage.create(runs, outbox)(DRAFT)
    delivery = outbox.under_way(RUN.key)
    assert delivery is not None
    await delivery.over.wait()
    assert [taken.run for taken in stage.taker.taken] == ([RUN.key] if stored else [])
    # Whoever asks again is told of this one run.
    assert (await stage.create(stage.runs, outbox)(DRAFT)).created is not stored
    assert [taken.run for taken in stage.taker.taken] == [RUN.key]
    await outbox.close()


@pytest.mark.parametrize("taken_back", [True, False])
async def test_a_run_whose_taking_back_was_not_answered_is_delivered_only_if_it_is_there(
    stage: Stage, taken_back: bool
) -> None:
    runs = interrupted(stage.runs, lose_the_answer, after=1 if taken_back else 0, before=0 if taken_back else 1)
    outbox = stage.outbox(runs)
    stage.taker.answers.set()
    stage.taker.refusals.append(REFUSAL)
    with pytest.raises(Unavailable):
        await stage.create(stage.runs, outbox)(DRAFT)
    delivery = outbox.under_way(RUN.key)
    assert delivery is not None
    delivery.hurry()
    await delivery.over.wait()
    assert [taken.run for taken in stage.taker.taken] == ([] if taken_back else [RUN.key])
    assert (await stage.runs.get(RUN.key) is None) is taken_back
    await outbox.close()


@pytest.mark.parametrize("before", [1, 2])
async def test_an_abort_of_a_run_that_fails_undelivered_meanwhile_tells_its_end(stage: Stage, before: int) -> None:
    await stage.runs.add(RUN)
    fail = partial(stage.runs.fail_undelivered, RUN.key, RunProgress(phase=RunPhase.FAILED, ended_at_us=1))
    abort = stage.abort(interrupted(stage.runs, fail, before=before))
    assert await abort(RUN.key, action="", reason="enough") is RunPhase.FAILED


async def test_an_abort_of_a_run_that_is_taken_meanwhile_reaches_the_scheduler(stage: Stage) -> None:
    await stage.runs.add(RUN)

    async def take() -> None:
        await stage.taker.accept(RUN.submission)
        await stage.runs.settle([RUN.key])

    stage.taker.answers.set()
    abort = stage.abort(interrupted(stage.runs, take, before=2))
    assert await abort(RUN.key, action="", reason="enough") is RunPhase.ABORTED
    assert stage.taker.aborted == [RUN.key]


# --- objects ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", range(1, 6))
async def test_a_completion_that_its_repetition_overtakes_gets_the_same_answer(before: int, tmp_path: Path) -> None:
    store = MemoryObjectStore(clock=ManualClock())
    await store.put(upload().unchecked_key("u" * 8), CONTENT)

    def objects(used: ObjectStore) -> Objects:
        addresses = SignedAddresses(cast("Any", used), root="s3://bucket/")
        return Objects(store=used, addresses=addresses, projects=OneProject(), ids=SeededIds(), scratch=tmp_path)

    async def repetition() -> None:
        await objects(store).complete(upload(), upload_id="u" * 8)

    ours = objects(interrupted(cast("ObjectStore", store), repetition, before=before))
    assert await ours.complete(upload(), upload_id="u" * 8) == f"s3://bucket/{upload().key}"
    assert [info.key for info in (await store.list("")).objects] == [upload().key]
    assert hashlib.sha256(await store.get(upload().key)).digest() == upload().sha256


# --- triggers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def firing(admin: Admin) -> Admin:
    """Two triggers are due, and the scheduler has been asked to take the run of one of them."""
    await deploy(admin, "1")
    for name in ("one", "two"):
        due = trigger(description="the first")
        due.id.name = name
        await put(admin, due)
    admin.scheduler.accepting.clear()
    admin.clock.advance(minutes(admin.clock.now()))
    await admin.scheduler.accept_entered.wait()
    return admin


def ids(admin: Admin) -> tuple[TriggerId, TriggerId]:
    """The trigger that is being fired, and the other one."""
    ((fired,),) = admin.rows("select trigger from runs")
    other = {"one": "two", "two": "one"}[fired]
    first, second = (TriggerId.FromString(trigger().id.SerializeToString()) for _ in range(2))
    first.name, second.name = fired, other
    return first, second


async def test_a_trigger_that_is_made_anew_while_the_old_one_fires_is_left_alone(firing: Admin) -> None:
    fired, _ = ids(firing)
    await firing.triggers.DeleteTrigger(DeleteTriggerRequest(id=fired))
    anew = trigger("30 * * * *", description="the second")
    anew.id.CopyFrom(fired)
    stored = await put(firing, anew)
    firing.scheduler.accepting.set()
    await firing.quiet()
    assert await get(firing, fired) == stored
    await advance(firing, 1800)
    assert len(firing.scheduler.runs) == 3


async def test_a_trigger_that_is_switched_off_while_others_fire_does_not_fire_any_more(firing: Admin) -> None:
    _, other = ids(firing)
    await firing.triggers.SetTriggerActive(SetTriggerActiveRequest(id=other, active=False))
    firing.scheduler.accepting.set()
    await firing.quiet()
    assert len(firing.scheduler.runs) == 1
