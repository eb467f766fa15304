"""Two processes that both believe to lead admin, as after a pause: only the later one has an effect, and only once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.admin.conftest import Admin, create_request
from tests.admin.test_triggers import advance, deploy, minutes, put, trigger

from flyteplane.foundation.errors import Aborted
from flyteplane.rpc.client import translated_errors


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Admin]:
    """The one that was paused."""
    opened = Admin(tmp_path)
    await opened.open(epoch=3)
    yield opened
    await opened.close()


@pytest.fixture
async def new(old: Admin) -> AsyncIterator[Admin]:
    """The one that leads meanwhile, over the same database and the same scheduler, in the same time."""
    opened = Admin(old.folder, scheduler=old.scheduler, clock=old.clock)
    yield opened
    await opened.close()


async def test_what_the_old_one_still_takes_is_refused_and_the_new_one_takes_it(old: Admin, new: Admin) -> None:
    await new.open(epoch=5)
    with pytest.raises(Aborted) as refusal, translated_errors():
        await old.runs.CreateRun(create_request())
    assert refusal.value.reason == "FENCED"
    assert not old.scheduler.runs
    assert (await new.runs.CreateRun(create_request())).created
    assert len(new.scheduler.runs) == 1


async def test_each_planned_time_of_a_trigger_starts_one_run_whoever_fires_it(old: Admin, new: Admin) -> None:
    await deploy(old, "1")
    await put(old, trigger())
    await advance(old, minutes(old.clock.now()))
    await new.open(epoch=5)
    await advance(new, 3 * 3600)
    assert len(new.scheduler.runs) == 4
    assert len(new.rows("select name from runs")) == 4
