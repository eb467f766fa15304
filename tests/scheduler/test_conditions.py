"""Questions to people: no worker, no slot, one answer, and an end like that of any action."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from tests.scheduler.harness import Bench, settle, task

from flyteapi.common.v1.phase_pb2 import PHASE_SUCCEEDED, PHASE_TIMED_OUT
from flyteapi.task.v1.interface_pb2 import Interface, Parameter
from flyteapi.task.v1.task_spec_pb2 import CachePolicy, Condition, ReusePolicy, TaskSpec
from flyteapi.task.v1.value_pb2 import NamedValues, Value
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, NotFound
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.application.queue_admin import QueueAdministration
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.domain.queueing.settings import QueueSettings

KEY = RunKey("project", "domain", "r1")


def question(data_type: str = "bool", *, timeout_s: int = 0) -> TaskSpec:
    """A question."""
    spec = TaskSpec(
        name="condition.approval",
        environment="condition",
        short_name="approval",
        interface=Interface(outputs=[Parameter(name="o0")]),
        condition=Condition(data_type=data_type, prompt="Go on?", prompt_type="text"),
    )
    if timeout_s:
        spec.timeouts.deadline.seconds = timeout_s
    return spec


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    await bench.start()
    yield bench
    assert not bench.failures
    await bench.scheduler.close()


async def ask(bench: Bench, spec: TaskSpec | None = None) -> int:
    """A root that asks; returns its lease."""
    await bench.submit(task())
    await bench.started("a0")
    return await bench.call("a0", "c1", spec or question())


def answer_of(outputs: bytes) -> Value:
    """The one output."""
    (value,) = NamedValues.FromString(outputs).values
    return value.value


async def test_a_question_waits_without_a_worker_and_an_answer_ends_it(bench: Bench) -> None:
    lease = await ask(bench)
    assert [action.name for _, action in bench.workers.placed] == ["a0"]
    assert await bench.phase(KEY, "c1") is Phase.RUNNING
    explained = await bench.scheduler.queries.explain(KEY, "c1")
    assert (explained.waits_for, explained.summary) == ("answer", "It waits for somebody's answer: Go on?")
    await bench.scheduler.signal(KEY, "c1", Value(bool=True))
    await settle()
    ((call, phase, outputs),) = bench.results(lease)
    assert (call, phase, answer_of(outputs).bool) == (1, PHASE_SUCCEEDED, True)


async def test_the_same_answer_again_does_nothing_and_another_is_refused(bench: Bench) -> None:
    await ask(bench)
    await bench.scheduler.signal(KEY, "c1", Value(bool=True))
    await bench.scheduler.signal(KEY, "c1", Value(bool=True))
    with pytest.raises(FailedPrecondition, match="has ended before this answer came"):
        await bench.scheduler.signal(KEY, "c1", Value(bool=False))


async def test_an_answer_is_durable_and_a_question_survives_a_restart(bench: Bench) -> None:
    await ask(bench, question("str"))
    await bench.start()
    assert await bench.phase(KEY, "c1") is Phase.RUNNING
    await bench.scheduler.signal(KEY, "c1", Value(string="yes"))
    await bench.start()
    await bench.started("a0")
    # The parent that is tried again asks the same, and is given the answer that is there.
    lease = await bench.call("a0", "c1", question("str"))
    ((_, phase, outputs),) = bench.results(lease)
    assert (phase, answer_of(outputs).string) == (PHASE_SUCCEEDED, "yes")


async def test_a_question_takes_no_slot_of_a_full_queue(bench: Bench) -> None:
    await QueueAdministration(bench.scheduler.administration).put(QueueSettings(name="default", action_concurrency=1))
    await ask(bench)
    await bench.call("a0", "c2", task("env.child"), number=2)
    assert [action.name for _, action in bench.workers.placed] == ["a0", "c2"]
    assert await bench.phase(KEY, "c1") is Phase.RUNNING


async def test_nobody_answers_in_time(bench: Bench) -> None:
    await ask(bench, question(timeout_s=60))
    await bench.advance(30)
    await bench.start()
    await bench.started("a0")
    lease = await bench.call("a0", "c1", question(timeout_s=60))
    await bench.advance(31)
    ((_, phase, _),) = bench.results(lease)
    assert phase == PHASE_TIMED_OUT, "the time before the restart counts"
    with pytest.raises(FailedPrecondition):
        await bench.scheduler.signal(KEY, "c1", Value(bool=True))


async def test_a_question_ends_with_the_run_that_asked(bench: Bench) -> None:
    await ask(bench)
    await bench.scheduler.queries.abort(KEY, "a0", reason="enough")
    assert await bench.phase(KEY, "c1") is Phase.ABORTED
    with pytest.raises(FailedPrecondition):
        await bench.scheduler.signal(KEY, "c1", Value(bool=True))


async def test_runs_that_wait_for_an_answer_are_known_as_long_as_they_do(bench: Bench) -> None:
    def paused(project: str = "", domain: str = "") -> Sequence[RunKey]:
        return bench.scheduler.queries.paused(project=project, domain=domain)

    assert paused() == []
    await ask(bench)
    await bench.call("a0", "c2", question("str"), number=2)
    assert paused() == paused(KEY.project, KEY.domain) == [KEY]
    assert paused("other") == paused(domain="other") == []
    await bench.start()
    assert paused() == [KEY], "a restart forgets nobody"
    for name, answer in (("c1", Value(bool=True)), ("c2", Value(string="yes"))):
        assert paused() == [KEY]
        await bench.scheduler.signal(KEY, name, answer)
    assert paused() == []
    await bench.started("a0")
    await bench.call("a0", "c3", question(), number=3)
    assert paused() == [KEY]
    await bench.scheduler.queries.abort(KEY, "a0", reason="enough")
    assert paused() == []


async def test_an_answer_has_to_be_of_the_type_that_was_asked_for(bench: Bench) -> None:
    await ask(bench, question("float"))
    with pytest.raises(InvalidArgument, match="asks for a float, and the answer is a string"):
        await bench.scheduler.signal(KEY, "c1", Value(string="much"))
    with pytest.raises(InvalidArgument, match="the answer is a value of no type"):
        await bench.scheduler.signal(KEY, "c1", Value())
    await bench.scheduler.signal(KEY, "c1", Value(int=3))
    stored = (await bench.scheduler.queries.data(KEY, "c1")).outputs
    assert answer_of(stored.inline).float == 3.0


async def test_only_questions_are_answered(bench: Bench) -> None:
    await ask(bench)
    with pytest.raises(InvalidArgument, match="is no condition"):
        await bench.scheduler.signal(KEY, "a0", Value(bool=True))
    with pytest.raises(NotFound):
        await bench.scheduler.signal(KEY, "c9", Value(bool=True))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda spec: spec.condition.ClearField("data_type"), "data_type"),
        (lambda spec: spec.cache.CopyFrom(CachePolicy(enabled=True, version="1")), "no cache"),
        (lambda spec: spec.reuse.CopyFrom(ReusePolicy(max_replicas=1)), "no reuse"),
        (lambda spec: spec.interface.ClearField("outputs"), "one output"),
        (lambda spec: spec.entrypoint.CopyFrom(task().entrypoint), "no entrypoint"),
    ],
)
async def test_a_question_that_asks_for_what_only_a_worker_keeps_is_refused(
    bench: Bench, spoil: Callable[[TaskSpec], None], says: str
) -> None:
    spec = question()
    spoil(spec)
    lease = await ask(bench, spec)
    action = bench.scheduler.engine.attempts[lease].action
    assert not action.children
    assert any(says in order.result.error.message for order in bench.workers.sent[lease] if order.HasField("result"))
