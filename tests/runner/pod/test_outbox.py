"""Reports survive broken streams: in order, each at least once, in bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flyte.runner.pod.outbox import MOST_DECLARED, MOST_HEARD_BYTES, Outbox
from flyteapi.scheduler.v1.worker_service_pb2 import (
    AttemptEnded,
    AttemptStarted,
    CancelCall,
    DeclareTask,
    SubmitAction,
    TraceRecord,
    WorkerReport,
)

LEASE = 3


def trace(number: int) -> WorkerReport:
    return WorkerReport(lease=LEASE, trace=TraceRecord(name=str(number)))


def written(outbox: Outbox) -> list[WorkerReport]:
    reports: list[WorkerReport] = []
    while outbox.has_unwritten:
        reports += outbox.take()
    return reports


def kinds(reports: list[WorkerReport]) -> list[str | None]:
    return [report.WhichOneof("report") for report in reports]


def test_what_was_written_but_not_acknowledged_is_written_again() -> None:
    outbox = Outbox()
    for number in range(4):
        outbox.add(trace(number))
    assert written(outbox) == [trace(number) for number in range(4)]
    outbox.rewind()
    assert written(outbox) == [trace(number) for number in range(4)]


def test_an_answered_heartbeat_lets_go_of_what_was_written_before_it() -> None:
    outbox = Outbox()
    outbox.add(trace(0))
    written(outbox)
    outbox.mark(1)
    outbox.add(trace(1))
    written(outbox)
    outbox.mark(2)
    outbox.add(trace(2))
    outbox.acknowledge(1)
    outbox.rewind()
    assert written(outbox) == [trace(1), trace(2)]


def test_output_says_where_it_belongs_so_that_what_is_said_again_is_known_again() -> None:
    outbox = Outbox(most_output_bytes=8)
    for lease, data in ((LEASE, b"one "), (4, b"other"), (LEASE, b"lost"), (LEASE, b"lost too")):
        outbox.add_output(data, lease=lease, is_stderr=False, may_drop=True)
    written(outbox)
    outbox.mark(1)
    outbox.acknowledge(1)
    outbox.add_output(b"two", lease=LEASE, is_stderr=False, may_drop=True)
    first = written(outbox)
    outbox.stored(LEASE, 4)
    outbox.stored(4, 5)
    outbox.rewind()
    assert written(outbox) == first
    mark = first[0].log.data
    assert b"12 bytes of output dropped" in mark
    assert [(report.log.data, report.log.position) for report in first] == [(mark, 5), (b"two", 5 + len(mark))]


def test_answers_of_a_stream_before_count_for_nothing() -> None:
    outbox = Outbox()
    outbox.add(trace(0))
    written(outbox)
    outbox.mark(1)
    outbox.rewind()
    outbox.acknowledge(1)
    assert written(outbox) == [trace(0)]


def test_declarations_the_start_and_open_calls_are_said_on_every_stream() -> None:
    outbox = Outbox()
    outbox.add(WorkerReport(lease=LEASE, started=AttemptStarted()))
    outbox.add(WorkerReport(declare_task=DeclareTask(digest=b"d")))
    for call in (1, 2, 3):
        outbox.add(WorkerReport(lease=LEASE, submit=SubmitAction(call=call)))
    outbox.add(WorkerReport(lease=LEASE, cancel_call=CancelCall(call=3)))
    written(outbox)
    outbox.mark(1)
    outbox.acknowledge(1)
    outbox.answered(LEASE, 1)
    outbox.rewind()
    again = written(outbox)
    assert kinds(again) == ["declare_task", "started", "submit", "submit", "cancel_call"]
    assert [report.submit.call for report in again if report.HasField("submit")] == [2, 3]


def test_each_attempt_has_its_start_its_calls_and_its_end_said_again_until_it_is_forgotten() -> None:
    outbox = Outbox()
    outbox.add(WorkerReport(declare_task=DeclareTask(digest=b"d")))
    for lease in (1, 2, 3):
        outbox.add(WorkerReport(lease=lease, started=AttemptStarted()))
        outbox.add(WorkerReport(lease=lease, submit=SubmitAction(call=1)))
    for lease in (1, 2):
        outbox.end(WorkerReport(lease=lease, ended=AttemptEnded()))
    written(outbox)
    outbox.mark(1)
    outbox.acknowledge(1)
    assert outbox.is_empty
    outbox.forget(1)
    outbox.answered(1, 1)
    outbox.rewind()
    again = [(report.lease, report.WhichOneof("report")) for report in written(outbox)]
    assert again == [(0, "declare_task"), (2, "started"), (3, "started"), (3, "submit"), (2, "ended")]
    assert not outbox.is_empty


def test_nothing_of_a_forgotten_attempt_is_written_to_the_next_stream() -> None:
    outbox = Outbox()
    outbox.add_output(b"x" * 10, lease=1, is_stderr=False, may_drop=False)
    outbox.add(WorkerReport(lease=2, trace=TraceRecord(name="t")))
    outbox.end(WorkerReport(lease=1, ended=AttemptEnded()))
    written(outbox)
    outbox.forget(1)
    outbox.rewind()
    assert [report.lease for report in written(outbox)] == [2]
    outbox.mark(1)
    outbox.acknowledge(1)
    assert outbox.is_empty
    assert not outbox.is_half_full


def test_much_that_waits_asks_for_an_answer_whatever_it_is() -> None:
    outbox = Outbox(most_output_bytes=1000)
    for number in range(100):
        outbox.add(trace(number))
    assert outbox.is_half_full
    assert not outbox.is_full


def test_the_end_comes_last_and_is_repeated_without_the_calls() -> None:
    outbox = Outbox()
    outbox.add(WorkerReport(lease=LEASE, submit=SubmitAction(call=1)))
    outbox.add_output(b"late", lease=LEASE, is_stderr=False, may_drop=False)
    outbox.end(WorkerReport(lease=LEASE, ended=AttemptEnded()))
    assert kinds(written(outbox)) == ["submit", "log", "ended"]
    for number, again in enumerate((["log", "ended"], ["ended"]), start=1):
        outbox.mark(number)
        outbox.acknowledge(number)
        outbox.rewind()
        assert kinds(written(outbox)) == again
        outbox.stored(LEASE, 4)


def test_output_without_a_scheduler_is_dropped_beyond_the_bound_and_the_loss_is_marked() -> None:
    outbox = Outbox(most_output_bytes=100)
    for _ in range(5):
        outbox.add_output(b"x" * 50, lease=LEASE, is_stderr=False, may_drop=True)
    assert outbox.is_full
    written(outbox)
    outbox.mark(1)
    outbox.acknowledge(1)
    assert not outbox.is_full
    outbox.add_output(b"y", lease=LEASE, is_stderr=False, may_drop=True)
    mark, output = written(outbox)
    assert b"150 bytes of output dropped" in mark.log.data
    assert output.log.data == b"y"


def test_a_loss_at_the_very_end_is_marked_before_the_end() -> None:
    outbox = Outbox(most_output_bytes=10)
    for _ in range(2):
        outbox.add_output(b"x" * 10, lease=LEASE, is_stderr=False, may_drop=True)
    outbox.end(WorkerReport(lease=LEASE, ended=AttemptEnded()))
    assert kinds(written(outbox)) == ["log", "log", "ended"]


def test_output_waits_instead_where_a_scheduler_listens() -> None:
    outbox = Outbox(most_output_bytes=10)
    for _ in range(3):
        outbox.add_output(b"x" * 10, lease=LEASE, is_stderr=False, may_drop=False)
    assert len(written(outbox)) == 3


@given(st.lists(st.sampled_from(["add", "write", "beat", "answer", "store", "lost"]), max_size=80))
def test_all_output_is_stored_although_leaders_die_with_what_they_have_heard(events: list[str]) -> None:
    outbox = Outbox()
    stored = heard = b""
    said = beat = 0
    beats: list[int] = []
    for event in [*events, "lost", "write", "store"]:
        if event == "add":
            outbox.add_output(b"%d " % said, lease=LEASE, is_stderr=False, may_drop=False)
            said += 1
        elif event == "write":
            for report in outbox.take():
                heard = heard[: report.log.position - 1] + report.log.data
        elif event == "beat":
            beat += 1
            outbox.mark(beat)
            beats.append(beat)
        elif event == "answer" and beats:
            outbox.acknowledge(beats.pop(0))
        elif event == "store":
            stored = heard
            outbox.stored(LEASE, len(stored))
        elif event == "lost":
            heard = stored
            beats.clear()
            outbox.rewind()
    assert stored == b"".join(b"%d " % number for number in range(said))


def test_output_that_nobody_says_is_stored_is_kept_within_bounds() -> None:
    outbox = Outbox()
    for number in range(2 * MOST_HEARD_BYTES // 1000):
        outbox.add_output(b"%1000d" % number, lease=LEASE, is_stderr=False, may_drop=False)
        written(outbox)
        outbox.mark(number)
        outbox.acknowledge(number)
    outbox.rewind()
    again = written(outbox)
    assert [int(report.log.data) for report in again] == list(range(number + 1))[-(MOST_HEARD_BYTES // 1000) :]


@given(st.lists(st.sampled_from(["add", "write", "beat", "answer", "break"]), max_size=80))
def test_whatever_breaks_everything_arrives_in_order(events: list[str]) -> None:
    outbox = Outbox()
    arrived: list[int] = []
    on_stream: list[int] = []
    beats: list[tuple[int, int]] = []
    said = beat = 0
    for event in [*events, "break", "write"]:
        if event == "add":
            outbox.add(trace(said))
            said += 1
        elif event == "write":
            on_stream += [int(report.trace.name) for report in outbox.take()]
        elif event == "beat":
            beat += 1
            outbox.mark(beat)
            beats.append((beat, len(on_stream)))
        elif event == "answer" and beats:
            number, size = beats.pop(0)
            # The other side has read that far.
            arrived += [name for name in on_stream[:size] if name not in arrived]
            outbox.acknowledge(number)
        elif event == "break":
            on_stream.clear()
            beats.clear()
            outbox.rewind()
    arrived += [name for name in on_stream if name not in arrived]
    assert arrived == list(range(said))


def test_declarations_that_no_open_call_is_of_are_not_kept_for_ever() -> None:
    outbox = Outbox()
    outbox.add(WorkerReport(declare_task=DeclareTask(digest=b"open")))
    outbox.add(WorkerReport(lease=LEASE, submit=SubmitAction(call=1, task_digest=b"open")))
    for number in range(5 * MOST_DECLARED):
        outbox.add(WorkerReport(declare_task=DeclareTask(digest=b"%d" % number)))
    written(outbox)
    outbox.mark(1)
    outbox.acknowledge(1)
    outbox.rewind()
    again = [report.declare_task.digest for report in written(outbox) if report.HasField("declare_task")]
    assert again[0] == b"open"
    assert again[-1] == b"%d" % (5 * MOST_DECLARED - 1)
    assert len(again) <= 3 * MOST_DECLARED
