"""Tasks in this process: what a platform would do is done here as well."""

from __future__ import annotations

import asyncio
import os
import pickle
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import flyte
import flyte.errors
from flyte.local.controller import MOST_THREADS
from flyte.local.failures import as_raised_by_run

env = flyte.TaskEnvironment(name="local")
calls: list[str] = []
quick = flyte.RetryStrategy(3, flyte.Backoff(timedelta(milliseconds=1)))


@pytest.fixture(autouse=True)
def no_calls() -> None:
    calls.clear()


@env.task
async def double(x: int) -> int:
    return 2 * x


@env.task
def triple(x: int) -> int:
    return 3 * x


@env.task
async def total(n: int = 3) -> int:
    doubled: list[int] = await asyncio.gather(*(double(x) for x in range(n)))
    tripled: int = await triple.aio(1)
    return sum(doubled) + tripled


@env.task
def sync_total(n: int = 3) -> int:
    doubled: list[int] = list(flyte.map(double, range(n)))
    return sum(doubled) + triple(2)


def test_children_run_and_outputs_come_back() -> None:
    run = flyte.run(total, n=4)
    assert run.outputs() == (15,)
    assert run.outputs().o0 == 15
    assert run.phase is flyte.models.ActionPhase.SUCCEEDED
    assert run.inputs() == {"n": 4}
    assert run.done()
    run.wait()


def test_a_synchronous_parent_calls_tasks_of_both_kinds() -> None:
    assert flyte.run(sync_total).outputs().o0 == 12


async def test_a_local_run_is_awaited_from_a_running_loop() -> None:
    run = await flyte.run.aio(total, n=2)
    assert (await run.outputs.aio()).o0 == 5


def test_a_blocking_run_works_below_a_running_loop() -> None:
    async def notebook() -> int:
        outputs: tuple[int, ...] = flyte.run(total, n=2).outputs()
        return outputs[0]

    assert asyncio.run(notebook()) == 5


@env.task
def deep(n: int) -> int:
    return n if n == 0 else deep(n - 1)


def test_synchronous_tasks_may_nest_deeper_than_any_thread_pool() -> None:
    assert flyte.run(deep, 60).outputs().o0 == 0


everybody_is_here = asyncio.Event()


@env.task(timeout=20)
async def meet(x: int) -> int:
    calls.append("here")
    if len(calls) == 3:
        everybody_is_here.set()
    await everybody_is_here.wait()
    return x


@env.task
def meet_all() -> list[int]:
    return list(flyte.map(meet, [1, 2, 3]))


def test_map_runs_async_tasks_at_the_same_time() -> None:
    assert flyte.run(meet_all).outputs().o0 == [1, 2, 3]


@env.task(retries=quick)
async def third_time(x: int) -> int:
    calls.append(str(flyte.ctx().attempt_number))
    if len(calls) < 3:
        raise OSError("not yet")
    return x


def test_failures_are_tried_again_and_the_attempt_is_known() -> None:
    assert flyte.run(third_time, 5).outputs().o0 == 5
    assert calls == ["0", "1", "2"]


@env.task(retries=quick)
async def always_fails() -> None:
    calls.append("x")
    raise OSError("never")


def test_the_budget_of_retries_is_exact() -> None:
    with pytest.raises(OSError, match="never"):
        flyte.run(always_fails)
    assert len(calls) == 4


@env.task(retries=quick)
async def gives_up() -> None:
    calls.append("x")
    raise flyte.errors.NonRecoverableError("no use")


def test_a_non_recoverable_error_is_not_tried_again() -> None:
    with pytest.raises(flyte.errors.NonRecoverableError, match="no use"):
        flyte.run(gives_up)
    assert len(calls) == 1


@env.task
async def catches() -> str:
    try:
        await always_fails.override(retries=0)()
    except flyte.errors.RuntimeUserError as error:
        return f"{error.code}: {error}"
    return "nothing"


def test_a_parent_sees_the_class_name_and_message_of_a_childs_error() -> None:
    assert flyte.run(catches).outputs().o0.startswith("OSError: never")


@env.task(timeout=timedelta(milliseconds=50))
async def too_slow() -> None:
    await asyncio.sleep(60)


@env.task(timeout=timedelta(milliseconds=50))
def too_slow_sync() -> None:
    while True:
        time.sleep(0.005)


@pytest.mark.parametrize("task", [too_slow, too_slow_sync])
def test_a_timeout_ends_an_attempt(task: Callable[[], None]) -> None:
    with pytest.raises(flyte.errors.MaxRuntimeExceededError, match=r"0\.05 s"):
        flyte.run(task)


def test_the_thread_of_a_timed_out_task_ends() -> None:
    with pytest.raises(flyte.errors.MaxRuntimeExceededError):
        flyte.run(too_slow_sync)
    for thread in threading.enumerate():
        if thread.name == "flyte-local-task":
            thread.join(10)
            assert not thread.is_alive()


@env.task(timeout=flyte.Timeout(deadline=timedelta(milliseconds=80)), retries=100)
async def past_the_deadline() -> None:
    calls.append("x")
    raise OSError("again")


def test_the_deadline_ends_all_attempts() -> None:
    with pytest.raises(flyte.errors.DeadlineExceededError, match=r"0\.08 s"):
        flyte.run(past_the_deadline)
    assert len(calls) < 5


class Odd(KeyError):
    def __init__(self, number: int, *, hint: str) -> None:
        super().__init__(number)
        self.hint = hint


@env.task
async def is_odd(number: int) -> None:
    raise Odd(number, hint="take an even one") from ValueError("the reason")


def test_a_failed_run_raises_what_a_platform_tells_and_what_the_task_raised() -> None:
    with pytest.raises(flyte.errors.RuntimeUserError) as caught:
        flyte.run(is_odd, 7)
    assert isinstance(caught.value, Odd)
    error: Any = caught.value
    assert (error.code, error.kind, str(error), error.hint) == ("Odd", "user", "7", "take an even one")
    assert repr(error) == "Odd(7)"
    assert isinstance(error.__cause__, ValueError)
    assert traceback.extract_tb(error.__traceback__)[-1].name == "is_odd"
    sent = pickle.loads(pickle.dumps(error))
    assert (type(sent), sent.code, str(sent)) == (flyte.errors.RuntimeUserError, "Odd", "7")


class Slotted(ValueError):
    __slots__ = ("place",)


@pytest.mark.parametrize(
    "error",
    [
        *(
            OSError(2, "no file"),
            FileNotFoundError(2, "no file", "/a", None, "/b"),
            UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
            KeyError("k"),
            Exception(),
        ),
        *(RecursionError("r"), ExceptionGroup("some", [ValueError("one")]), ImportError("i", name="m"), Slotted("s")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_kind_of_exception_is_raised_by_a_run_as_what_it_is(error: Exception) -> None:
    raised: Any = as_raised_by_run(error)
    assert isinstance(raised, flyte.errors.RuntimeUserError)
    assert (raised.code, str(raised)) == (type(error).__name__, str(error))
    assert isinstance(raised, type(error)) or raised.__cause__ is error
    for name in ("filename", "filename2", "name"):
        assert getattr(raised, name, None) == getattr(error, name, None)


@env.task(timeout=60)
async def raises_timeout() -> None:
    raise TimeoutError("my own")


def test_a_timeout_error_of_the_users_is_the_users() -> None:
    with pytest.raises(TimeoutError, match="my own"):
        flyte.run(raises_timeout)


variables = flyte.TaskEnvironment(name="variables", env_vars={"COLOUR": "red"})


@variables.task
async def read_variable(name: str) -> str:
    return os.environ.get(name, "unset")


def test_variables_hold_while_the_task_runs_and_not_after() -> None:
    assert flyte.run(read_variable, "COLOUR").outputs().o0 == "red"
    assert "COLOUR" not in os.environ


def test_variables_of_the_run_hold_too_and_the_tasks_own_win() -> None:
    runner = flyte.with_runcontext(env_vars={"COLOUR": "blue", "SHAPE": "round"})
    assert runner.run(read_variable, "SHAPE").outputs().o0 == "round"
    assert runner.run(read_variable, "COLOUR").outputs().o0 == "red"


cached = flyte.TaskEnvironment(name="cached", cache="auto")


@cached.task
async def compute(x: int) -> int:
    calls.append("x")
    return x + 1


@cached.task(cache=flyte.Cache("override", version_override="v1", ignored_inputs="note"))
async def compute_noted(x: int, note: str) -> int:
    calls.append(note)
    return x


def test_a_result_is_computed_once() -> None:
    assert [flyte.run(compute, 1).outputs().o0 for _ in range(3)] == [2, 2, 2]
    assert len(calls) == 1
    flyte.run(compute, 2)
    assert len(calls) == 2


def test_an_explicit_version_reads_the_cache_and_ignored_inputs_do_not_count() -> None:
    flyte.run(compute_noted, 1, note="first")
    flyte.run(compute_noted, 1, note="second")
    assert calls == ["first"]


def test_a_run_may_overwrite_or_leave_the_cache() -> None:
    flyte.run(compute, 10)
    flyte.with_runcontext(overwrite_cache=True).run(compute, 10)
    flyte.with_runcontext(disable_run_cache=True).run(compute, 10)
    flyte.run(compute, 10)
    assert len(calls) == 3


@cached.task(cache=flyte.Cache("auto", serialize=True))
async def slow_compute(x: int) -> int:
    calls.append("x")
    await asyncio.sleep(0.01)
    return x


@env.task
async def many_equal() -> int:
    return sum(await asyncio.gather(*(slow_compute(7) for _ in range(10))))


def test_of_equal_serialised_calls_one_computes() -> None:
    assert flyte.run(many_equal).outputs().o0 == 70
    assert len(calls) == 1


@env.task(max_inline_io_bytes=1000)
async def echo(text: str) -> str:
    return text * 2


def test_inline_limits_are_kept_on_both_sides() -> None:
    with pytest.raises(flyte.errors.InlineIOMaxBytesBreached, match="inputs"):
        flyte.run(echo, "a" * 1001)
    with pytest.raises(flyte.errors.InlineIOMaxBytesBreached, match="outputs"):
        flyte.run(echo, "a" * 900)


@env.task
async def wrong_output() -> int:
    return "text"  # type: ignore[return-value]


def test_values_really_pass_through_their_types() -> None:
    with pytest.raises(TypeError, match="'x'"):
        flyte.run(double, "two")
    with pytest.raises(flyte.errors.RuntimeDataValidationError):
        flyte.run(wrong_output)


@env.task
async def where() -> dict[str, str]:
    context = flyte.ctx()
    return {
        "mode": context.mode,
        "action": context.action.name,
        "run": context.action.run_name or "",
        "team": flyte.get_custom_context().get("team", ""),
    }


@env.task
async def parent_of_where() -> list[dict[str, str]]:
    with flyte.custom_context(team="red"):
        return [await where(), await where()]


def test_a_task_knows_where_it_is() -> None:
    here = flyte.with_runcontext(name="r1", custom_context={"team": "blue"}).run(where).outputs().o0
    assert here == {"mode": "local", "action": "a0", "run": "r1", "team": "blue"}
    first, second = flyte.run(parent_of_where).outputs().o0
    assert first["team"] == "red"
    assert first["action"] != second["action"]


@flyte.trace
async def expensive(x: int) -> int:
    calls.append("traced")
    return x


@env.task(retries=quick)
async def traced_then_fails() -> int:
    value = await expensive(3)
    if flyte.ctx().attempt_number == 0:
        raise OSError("after the trace")
    return value


def test_a_traced_call_is_not_repeated_by_a_retry() -> None:
    assert flyte.run(traced_then_fails).outputs().o0 == 3
    assert calls == ["traced"]


@env.task(report=True)
async def reports() -> str:
    import flyte.report

    flyte.report.log("<p>hello</p>")
    await flyte.report.log.aio("<p>again</p>")
    flyte.report.get_tab("more <tab>").log("<b>detail</b>")
    return "done"


def test_a_report_is_written_when_the_task_ends(tmp_path: Path) -> None:
    run = flyte.with_runcontext(run_base_dir=str(tmp_path)).run(reports)
    page = run.get_report_path().read_text()
    assert "<p>hello</p>" in page
    assert "<p>again</p>" in page
    assert "more &lt;tab&gt;" in page
    assert run.get_report() == page


def test_a_local_run_has_the_surface_of_one_on_a_platform() -> None:
    run = flyte.run(total, n=2)
    assert (run.task_name, run.project, run.domain) == ("local.total", "flytesnacks", "development")
    assert run.start_time <= run.ended_at
    assert run.typed_inputs({"n": int}) == {"n": 2}
    assert run.typed_outputs({"o0": int}, {int: str}) == {"o0": "5"}
    assert run.output_literals()["o0"].int == 5
    assert (run.first_failure(), run.error(), run.abort("late"), list(run.get_logs())) == (None, None, None, [])
    with pytest.raises(flyte.errors.RuntimeUserError, match="set report=True"):
        run.get_report()
    with pytest.raises(AttributeError, match="A local run has no 'details'"):
        run.details()


def test_the_data_of_runs_lies_where_nobody_else_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = flyte.with_runcontext(name="mine").run(total, n=1)
    assert (type(run).__name__, run.url) == ("_InlineRun", str(tmp_path / "flyte" / "metadata" / "mine"))
    assert (tmp_path / "flyte").stat().st_mode & 0o777 == 0o700
    (tmp_path / "flyte").chmod(0o777)
    own = tmp_path / f"flyte-{os.getuid()}"
    assert flyte.run(total, n=1).url.startswith(f"{own}/metadata/")
    own.rename(tmp_path / "elsewhere")
    own.symlink_to(tmp_path / "elsewhere")
    assert not flyte.run(total, n=1).url.startswith((f"{own}/", f"{tmp_path}/flyte/"))


def test_a_dry_run_carries_nothing_out() -> None:
    with pytest.raises(ValueError, match="dry_run prepares what would be sent"):
        flyte.with_runcontext(mode="local", dry_run=True).run(traced_then_fails)
    assert calls == []


def test_a_report_may_have_a_page_of_its_own(tmp_path: Path) -> None:
    from flyte.report import Report

    (tmp_path / "page.html").write_text("<h1>$TITLE</h1><ul>$NAV_HTML</ul>$BODY_HTML $5")
    report = Report("a & b", template_path=tmp_path / "page.html")
    report.get_tab("x").log("<p>content</p>")
    page = report.get_final_report()
    assert page.startswith("<h1>a &amp; b</h1>")
    assert page.endswith("$5")
    assert '<section id="s1"><p>content</p></section>' in page


def test_reporting_outside_of_a_task_is_no_error() -> None:
    import flyte.report

    flyte.report.log("nobody reads this", do_flush=True)
    with pytest.raises(ValueError, match="Tab x does not exist"):
        flyte.report.get_tab("x", create_if_missing=False)


def test_a_task_called_outside_of_a_run_is_a_plain_call() -> None:
    assert triple(2) == 6


@cached.task(
    cache=flyte.Cache("override", version_override="q", serialize=True),
    timeout=flyte.Timeout(max_queued_time=timedelta(milliseconds=50)),
)
async def computed_alone(x: int) -> int:
    await asyncio.sleep(0.5)
    return x


@env.task
async def one_computes_and_one_waits_too_long(x: int) -> list[str]:
    results = await asyncio.gather(computed_alone(x), computed_alone(x), return_exceptions=True)
    return sorted(type(result).__name__ for result in results)


def test_waiting_for_an_equal_call_counts_as_queued_time() -> None:
    assert flyte.run(one_computes_and_one_waits_too_long, 1).outputs().o0 == ["MaxQueuedTimeExceededError", "int"]


@env.task
async def slow_child() -> str:
    calls.append("slow child")
    await asyncio.sleep(0.1)
    return "done"


@env.task(retries=quick)
async def gives_up_on_a_running_child() -> str:
    child = asyncio.ensure_future(slow_child())
    await asyncio.sleep(0.01)
    if flyte.ctx().attempt_number == 0:
        raise OSError("while the child runs")
    return await child


def test_a_child_that_still_runs_is_not_begun_again_by_a_retry() -> None:
    assert flyte.run(gives_up_on_a_running_child).outputs().o0 == "done"
    assert calls == ["slow child"]


@env.task(retries=quick)
async def cancels_a_child() -> str:
    first = asyncio.ensure_future(slow_child())
    await asyncio.sleep(0.01)
    first.cancel()
    try:
        return await first
    except asyncio.CancelledError:
        return "cancelled"


def test_a_child_that_its_parent_cancels_is_cancelled() -> None:
    assert flyte.run(cancels_a_child).outputs().o0 == "cancelled"


def test_equal_runs_in_threads_do_not_disturb_each_other() -> None:
    with ThreadPoolExecutor(4) as threads:
        runs = [threads.submit(flyte.run, total, n=n) for n in range(8)]
        assert [run.result().outputs().o0 for run in runs] == [3 + n * (n - 1) for n in range(8)]


pictured = flyte.TaskEnvironment(
    name="pictured",
    image=flyte.Image.from_debian_base(name="pictured", registry="r").with_env_vars({"FROM_IMAGE": "i", "BOTH": "i"}),
    env_vars={"BOTH": "task"},
)


@pictured.task
async def read_variables() -> list[str]:
    return [os.environ["FROM_IMAGE"], os.environ["BOTH"]]


def test_variables_of_the_image_hold_too() -> None:
    assert flyte.run(read_variables).outputs().o0 == ["i", "task"]


@env.task
async def starts_runs() -> list[int]:
    blocking = flyte.run(double, 1).outputs().o0
    awaited = await flyte.run.aio(sync_total)
    return [blocking, awaited.outputs().o0]


def test_a_task_may_start_runs_blocking_or_not() -> None:
    assert flyte.run(starts_runs).outputs().o0 == [2, 12]


@env.task
def count_threads(x: int) -> int:
    time.sleep(0.001)
    return threading.active_count()


@env.task
async def many_threads() -> int:
    counts: list[int] = await asyncio.gather(*(count_threads.aio(x) for x in range(1000)))
    return max(counts)


def test_many_synchronous_children_do_not_have_a_thread_each_at_once() -> None:
    assert flyte.run(many_threads).outputs().o0 < MOST_THREADS + 50
