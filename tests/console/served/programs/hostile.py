"""Everything that a task may write, full of what acts elsewhere."""

import asyncio
from pathlib import Path

import flyte
import flyte.report

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
CONTROL = "\x1b]0;title\x07\x1b[31mred\x1b[0m\x00\x07\u202egnirts\u202c"
REPORT = f"{MARKUP}<a href='http://elsewhere.example/' target=_top>out</a><p>written</p>"

env = flyte.TaskEnvironment(name="hostile")


@env.task
async def child(n: int, gate: str = "") -> int:
    """Doubles."""
    if gate:
        await asyncio.to_thread(lambda: Path(gate).open().close())  # a named pipe: opens when the test opens its end
    return n * 2


@env.task(short_name=MARKUP[:40], report=True)
async def parent(n: int, text: str = MARKUP) -> list[int]:
    """<b>Calls</b> <script>alert(3)</script>"""
    print(f"first {MARKUP} {CONTROL}")
    print("second \x1b[1;32mbold green\x1b[0m and not")
    flyte.report.log(REPORT, do_flush=True)
    with flyte.group(MARKUP):
        found = await asyncio.gather(*(child(index) for index in range(n)))
    return [*found, await child(1000)]


@env.task
async def gated(gate: str) -> int:
    """Has a child that waits for the test."""
    return await child(1, gate)


@env.task(report=True)
async def reporting(gate: str) -> None:
    """Writes its report, and when the test says so once more."""
    for words in ("<p>first</p>", "<p>second</p>"):
        flyte.report.replace(words, do_flush=True)
        await child(1, gate)


@env.task
async def failing(text: str) -> int:
    """Fails."""
    raise ValueError(f"{MARKUP} {CONTROL} {text}")
