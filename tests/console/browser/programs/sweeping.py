"""A small sweep to be looked at: children that wait for the test, logs with markup, a report, a part that may fail."""

import asyncio
import dataclasses
from pathlib import Path

import flyte
import flyte.io
import flyte.report

#: A report is of whoever wrote the task, and so is whatever it tries.
ATTACK = """
<script>parent.document.title = "taken"; fetch("/logout", {method: "POST"})</script>
<img src="http://elsewhere.example/picture.png" onerror="top.location = '/taken'">
<form action="http://elsewhere.example/" target="_top"><button>Go on</button></form>
"""

env = flyte.TaskEnvironment(name="sweeping")


@dataclasses.dataclass
class Candidate:
    """Parameters of one training."""

    rate: float
    layers: int = 2


@env.task
def train(candidate: Candidate, folder: str) -> float:
    """Trains one candidate, and does in a folder of the test what that says."""
    print(f"training <b>{candidate.layers}</b> layers")
    if folder:
        gate = Path(folder) / f"gate-{candidate.layers}"
        if gate.exists():
            gate.open().close()  # a named pipe: opens as soon as the test opens the other end
        with (Path(folder) / "trained").open("a") as trained:
            trained.write(f"{candidate.layers}\n")
        if (Path(folder) / f"broken-{candidate.layers}").exists():
            raise ValueError("no <i>gradient</i>")
    return candidate.rate / candidate.layers


@env.task(report=True)
async def sweep(candidates: int = 4, rates: list[float] = [0.5], title: str = "digits", folder: str = "") -> str:  # noqa: B006  # as users write it
    """Trains candidates and compares them.

    Args:
        candidates: how many are trained
        rates: learning rates that are tried
    """
    print(f"sweeping {title}")
    grid = [Candidate(rate, layers) for rate in rates for layers in range(1, candidates + 1)]
    with flyte.group("training"):
        results = await asyncio.gather(*(train.aio(candidate, folder) for candidate in grid))
    await flyte.report.replace.aio(f"<h1>Best of {title}: {max(results)}</h1>{ATTACK}", do_flush=True)
    return f"{title}: {max(results)}"


@env.task
async def measure(pictures: flyte.io.Dir) -> dict[str, int]:  # type: ignore[type-arg]  # as users write it
    """Tells the sizes of files."""
    root = Path(await pictures.download())
    return {path.relative_to(root).as_posix(): path.stat().st_size for path in root.rglob("*") if path.is_file()}
