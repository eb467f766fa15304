"""A log on its way to a page: whole while the page keeps up, else its end, and always with the right line numbers."""

from __future__ import annotations

from typing import Any

from flyteplane.console.ansi import LONGEST_LINE
from flyteplane.console.log_tail import MOST_WAITING, LogTail

LINE = b"x" * 99 + b"\n"


def texts(tail: LogTail, *, ended: bool = False) -> tuple[list[str], list[Any], str]:
    """Lines, numbers of lines that were skipped up to there, and where to go on."""
    lines, skipped, last = [], [], ""
    for message in tail.messages(ended=ended):
        if message.kind == "skipped":
            skipped.append(message.data)
        else:
            lines += ["".join(text for text, _ in line) for line in message.data]
        last = message.id or last
    return lines, skipped, last


def test_a_page_that_keeps_up_gets_every_line_once() -> None:
    tail = LogTail(after=0)
    tail.add(b"one\ntw")
    assert texts(tail) == (["one"], [], "1")
    tail.add(b"o\nthree")
    assert texts(tail) == (["two"], [], "2")
    assert texts(tail, ended=True) == (["three"], [], "3")
    resumed = LogTail(after=2)
    resumed.add(b"one\ntwo\nthree")
    assert texts(resumed, ended=True) == (["three"], [], "3")


def test_of_more_than_may_wait_the_end_is_sent() -> None:
    tail, lines = LogTail(after=0), 2 * MOST_WAITING // len(LINE)
    tail.add(b"begun ")
    assert texts(tail) == ([], [], "")
    for _ in range(lines):
        tail.add(LINE)
    tail.add(b"last\n")
    found, (skipped,), last = texts(tail)
    assert found[-1] == "last"
    assert set(found[:-1]) == {"x" * 99}
    assert len(found) * len(LINE) <= MOST_WAITING
    assert skipped + len(found) == lines + 1 == int(last)


def test_a_line_without_an_end_is_bounded_too() -> None:
    tail = LogTail(after=0)
    for _ in range(3):
        tail.add(b"y" * MOST_WAITING)
    found, skipped, _ = texts(tail)
    assert skipped == [0]
    assert MOST_WAITING - LONGEST_LINE <= sum(map(len, found)) <= MOST_WAITING
    tail.add(b"\nend\n")
    assert texts(tail)[0][-1] == "end"
