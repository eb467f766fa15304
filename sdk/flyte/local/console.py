"""Questions to the person in front of a local run: printed on the console, answered with a line on standard input.

One question is asked at a time, whatever tasks ask at once. The wait for the line can be given up, because of a
timeout or of Ctrl-C: it is a wait for a file descriptor and not a blocking read.
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
import threading
import time
from typing import Final

from flyte.authoring.condition import Question, read_answer
from flyte.authoring.condition_webhook import tell_webhook
from flyte.errors import ConditionFailedError, ConditionTimedoutError

_one_at_a_time: Final = asyncio.Lock()
_HINTS: Final[dict[type, str]] = {bool: " [y/n]", int: " (a whole number)", float: " (a number)", str: ""}


async def ask_on_console(question: Question) -> str:
    """Ask until the answer is of the question's type.

    Raises ConditionTimedoutError when there was none in time, and ConditionFailedError when standard input has ended
    or the webhook cannot be reached.
    """
    ends_at = None if question.timeout_s is None else time.monotonic() + question.timeout_s
    if question.webhook is not None:
        await asyncio.to_thread(tell_webhook, question)
    try:
        async with asyncio.timeout(question.timeout_s), _one_at_a_time:
            return await _interruptible(question, ends_at)
    except TimeoutError:
        raise ConditionTimedoutError(
            f"Nobody answered the condition {question.name!r} within {question.timeout_s:g} s."
        ) from None


async def _interruptible(question: Question, ends_at: float | None) -> str:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    read_end, write_end = os.pipe()

    def settle(text: str | None, error: Exception | None) -> None:
        os.close(read_end)
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(text or "")

    def body() -> None:
        try:
            outcome: tuple[str | None, Exception | None] = (_converse(question, given_up=read_end), None)
        except Exception as error:
            outcome = (None, error)
        loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=body, name="flyte-local-console", daemon=True).start()
    try:
        return await answer
    finally:
        os.close(write_end)  # wakes the thread, if it still waits


def _converse(question: Question, *, given_up: int) -> str:
    _print(f"\n{question.prompt}{_HINTS[question.data_type]}")
    if question.description:
        _print(question.description)
    while True:
        print(f"{question.name}> ", end="", file=sys.stderr, flush=True)
        line = _line(given_up=given_up)
        try:
            read_answer(line, question.data_type)
        except ValueError as error:
            _print(f"{error}. Try again.")
        else:
            return line


def _line(*, given_up: int) -> str:
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):
        return _line_of_stand_in()
    content = bytearray()
    while True:
        ready, _, _ = select.select([descriptor, given_up], [], [])
        if given_up in ready:
            raise ConditionFailedError("The question was given up.")
        # Byte by byte, so that what follows the line is left for others.
        byte = os.read(descriptor, 1)
        if not byte and not content:
            raise ConditionFailedError("Standard input has ended: nobody can answer.")
        if byte in (b"\n", b""):
            return content.decode(errors="replace").removesuffix("\r")
        content += byte


def _line_of_stand_in() -> str:
    """Return a line of what stands in for standard input: text in memory, or a notebook's own kind of file."""
    try:
        line = sys.stdin.readline()
    except (OSError, ValueError, AttributeError):
        raise ConditionFailedError("There is no standard input that an answer could come from.") from None
    if not line:
        raise ConditionFailedError("Standard input has ended: nobody can answer.")
    return line.rstrip("\r\n")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
