"""Spans of traced runs: told once an end is durable, with the times that are stored, the same ones after a restart."""

from __future__ import annotations

from tests.scheduler.harness import Bench, settle, task

from flyte.spec.trace_context import TraceContext, attempt_context, run_context
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.observe.spans import Span
from flyteplane.scheduler.domain.failures import worker_failure
from flyteplane.scheduler.domain.state import Aborted

TRACE = TraceContext("a" * 32, "b" * 16)
TRACED = RunSettings(trace_parent=str(TRACE))


def by_name(bench: Bench) -> dict[str, Span]:
    return {f"{span.name}/{span.attributes.get('flyte.action', '')}".rstrip("/"): span for span in bench.spans.spans}


async def test_waits_starts_and_running_have_their_true_times(bench: Bench) -> None:
    began = bench.clock.now()
    await bench.submit(task(), settings=TRACED)
    await bench.advance(2)
    await bench.started("a0")
    await bench.advance(5)
    await bench.succeed("a0")
    spans = by_name(bench)
    times = {name: (span.began - began, span.ended - began) for name, span in spans.items()}
    assert times == {
        "action env.work/a0": (0, 7),
        "queued": (0, 0),
        "attempt 1": (0, 7),
        "starting": (0, 2),
        "running": (2, 7),
        "run env.work": (0, 7),
    }
    assert spans["run env.work"].parent == TRACE.span_id
    assert spans["running"].context == attempt_context(TRACE, "r1", "a0", 1)


async def test_spans_made_before_and_after_a_restart_fit(bench: Bench) -> None:
    await bench.submit(task("env.parent"), settings=TRACED)
    await bench.call("a0", "c1", task("env.child"), number=1)
    await bench.succeed("c1", b"one")
    await bench.start()
    await bench.started("a0")
    await bench.succeed("a0")
    spans = by_name(bench)
    assert spans["action env.child/c1"].parent == spans["action env.parent/a0"].context.span_id
    assert spans["action env.parent/a0"].parent == run_context(TRACE, "r1").span_id
    assert len({span.context.span_id for span in bench.spans.spans}) == len(bench.spans.spans)
    assert [span.error for span in bench.spans.spans if span.name == "attempt 1"] == ["", "PLATFORM_RESTARTED"]


async def test_an_action_that_ends_while_it_waits_again_tells_of_the_attempts_it_had(bench: Bench) -> None:
    key = await bench.submit(task(retries=3), settings=TRACED)
    await bench.started("a0")
    await bench.fail("a0")
    await bench.scheduler.engine.turn.durable()
    assert bench.spans.spans == []
    engine = bench.scheduler.engine
    engine.apply(engine.runs[key].actions["a0"], Aborted(at=bench.clock.now(), reason="enough"))
    await settle()
    names = [span.name for span in bench.spans.spans]
    assert names == ["action env.work", "queued", "attempt 1", "starting", "running", "run env.work"]
    assert by_name(bench)["run env.work"].error == "ABORTED"


async def test_a_worker_that_was_never_had_has_no_code_that_ran(bench: Bench) -> None:
    await bench.submit(task(), settings=TRACED)
    lost = worker_failure(exit_code=0, signal=0, out_of_memory=False, known=False, message="")
    bench.scheduler.engine.lost(bench.workers.lease_of("a0"), lost)
    await bench.advance(120)
    await bench.started("a0")
    await bench.succeed("a0")
    assert [span.name for span in bench.spans.spans].count("starting") == 2
    assert [span.name for span in bench.spans.spans].count("running") == 1


async def test_runs_without_a_trace_or_outside_of_the_sample_tell_nothing(bench: Bench) -> None:
    for name, settings in (("r1", RunSettings()), ("r2", RunSettings(trace_parent=str(TRACE)[:-1] + "0"))):
        await bench.submit(task(), name=name, settings=settings)
        await bench.started("a0")
        await bench.succeed("a0")
    assert bench.spans.spans == []
