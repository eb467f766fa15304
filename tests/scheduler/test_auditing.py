"""Actions that nothing moves are counted, and nothing else is."""

from __future__ import annotations

from tests.scheduler.harness import Bench, task

from flyteplane.scheduler.application.auditing import Audit
from flyteplane.scheduler.domain.phases import Phase


async def stuck(bench: Bench) -> int:
    """What two looks in a row find."""
    audit = Audit(bench.scheduler.engine)
    await audit.look()
    await audit.look()
    return bench.scheduler.engine.figures.stuck


async def test_whatever_waits_or_runs_as_it_should_is_not_stuck(bench: Bench) -> None:
    await bench.submit(task(retries=1))
    assert await stuck(bench) == 0
    await bench.started("a0")
    assert await stuck(bench) == 0
    await bench.fail("a0")
    assert await stuck(bench) == 0
    await bench.advance(60)
    await bench.started("a0")
    await bench.succeed("a0", b"1")
    assert await stuck(bench) == 0


async def test_an_action_that_was_forgotten_is_found_at_the_second_look(bench: Bench) -> None:
    key = await bench.submit(task())
    action = bench.scheduler.engine.runs[key].actions["a0"]
    assert action.attempt is not None
    # As a defect would leave it: the attempt is gone, and nobody was told.
    bench.scheduler.engine.attempts.pop(action.attempt.lease)
    action.attempt = None
    audit = Audit(bench.scheduler.engine)
    await audit.look()
    assert bench.scheduler.engine.figures.stuck == 0
    await audit.look()
    assert bench.scheduler.engine.figures.stuck == 1
    action.state = action.state._replace(phase=Phase.QUEUED, lease=0)
    await audit.look()
    assert bench.scheduler.engine.figures.stuck == 0


async def test_figures_tell_waits_starts_ends_and_losses(bench: Bench) -> None:
    await bench.submit(task(retries=1))
    await bench.started("a0")
    await bench.fail("a0")
    await bench.advance(60)
    await bench.started("a0")
    await bench.succeed("a0", b"1")
    readings = {
        (reading.name, *reading.labels.values()): getattr(reading, "values", None) or getattr(reading, "value", None)
        for reading in bench.scheduler.readings()
    }
    assert readings["queue_wait_seconds",].count == 2  # type: ignore[union-attr]
    assert readings["start_seconds", "fresh"].count == 2  # type: ignore[union-attr]
    assert readings["actions_ended", "SUCCEEDED"] == 1
    assert readings["attempts_failed", "user"] == 1
    assert readings["queue_waiting", "default"] in (None, 0)
