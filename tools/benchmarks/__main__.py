"""`tools/bench`: chooses scenarios, runs them in turn with their peers, prints figures."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import defaultdict
from contextlib import ExitStack
from functools import partial

from rich.console import Console
from rich.table import Table

from benchmarks import scenarios
from benchmarks.measured_platform import MeasuredPlatform
from benchmarks.not_here import NotHere
from benchmarks.peers import NAMES, Peer, parse_peer
from benchmarks.scenarios import Figures

ALL = (*scenarios.ALONE, *scenarios.ON_PLATFORM)


def arguments() -> argparse.Namespace:
    """What the user asked for."""
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"which to run (default: all): {', '.join(ALL)}")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help=f"also run them on a peer installed in that interpreter, in turn, with ratios ({', '.join(NAMES)})",
    )
    parser.add_argument("--rounds", type=int, default=3, help="measure each so often; the median counts (default: 3)")
    parser.add_argument("--json", action="store_true", help="print the JSON lines only")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.scenario if name not in ALL]
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(ALL)}")
    if chosen.rounds < 1:
        parser.error("--rounds must be at least 1")
    try:
        chosen.peers = [parse_peer(text) for text in chosen.peer]
    except ValueError as error:
        parser.error(str(error))
    return chosen


def median(rounds: list[Figures]) -> Figures:
    """Figure by figure."""
    return {name: round(statistics.median(one[name] for one in rounds if name in one), 3) for name in rounds[-1]}


def measure(name: str, platform: MeasuredPlatform | None, peers: list[Peer], rounds: int) -> dict[str, Figures]:
    """Figures of one scenario by system. Ours and the peers' take turns."""
    found: dict[str, list[Figures]] = defaultdict(list)
    ours = scenarios.ALONE[name] if name in scenarios.ALONE else partial(scenarios.ON_PLATFORM[name], _given(platform))
    for _ in range(rounds):
        found["flyteplane"].append(ours())
        for peer in peers if name in scenarios.COMPARED else ():
            figures = peer.measure(name)
            if figures:
                found[peer.name].append(figures)
    return {system: median(figures) for system, figures in found.items()}


def _given(platform: MeasuredPlatform | None) -> MeasuredPlatform:
    if platform is None:
        raise RuntimeError("this scenario needs a platform")
    return platform


def ratios(name: str, figures: dict[str, Figures]) -> dict[str, float]:
    """How many times better than each peer ours is; below 1 it is worse."""
    if name not in scenarios.COMPARED:
        return {}
    figure, more_is_better = scenarios.COMPARED[name]
    ours = figures["flyteplane"][figure]
    peers = {system: values[figure] for system, values in figures.items() if system != "flyteplane"}
    return {
        system: round(ours / theirs if more_is_better else theirs / ours, 2)
        for system, theirs in peers.items()
        if theirs and ours
    }


def main() -> None:
    """Runs what was asked for."""
    chosen = arguments()
    wanted = chosen.scenario or list(ALL)
    console = Console(stderr=True, quiet=chosen.json)
    lines: list[dict[str, object]] = []
    with ExitStack() as stack:
        platform: MeasuredPlatform | None = None
        for name in (one for one in ALL if one in wanted):
            if name in scenarios.ON_PLATFORM and platform is None:
                platform = stack.enter_context(MeasuredPlatform())
            console.print(f"[dim]{name} ...[/dim]")
            try:
                figures = measure(name, platform, chosen.peers, chosen.rounds)
            except NotHere as reason:
                console.print(f"[yellow]{name} is left out: {reason}[/yellow]")
                continue
            lines.append({"scenario": name, "figures": figures, "times_better_than": ratios(name, figures)})
    if not chosen.json:
        Console().print(_table(lines))
    for line in lines:
        sys.stdout.write(json.dumps(line) + "\n")


def _table(lines: list[dict[str, object]]) -> Table:
    table = Table(title="Flyteplane, measured")
    for column in ("scenario", "system", "figures", "ours is better by"):
        table.add_column(column)
    for line in lines:
        figures: dict[str, Figures] = line["figures"]  # type: ignore[assignment]  # as made in main
        better: dict[str, float] = line["times_better_than"]  # type: ignore[assignment]
        for system, values in figures.items():
            text = "  ".join(f"{name} {value:g}" for name, value in values.items())
            table.add_row(str(line["scenario"]), system, text, f"{better[system]:g} x" if system in better else "")
    return table


if __name__ == "__main__":
    main()
