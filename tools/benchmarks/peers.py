"""Peers: the same scenarios on other systems, each in the interpreter that has it installed."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scenarios import Figures

NAMES = ("ray", "dask", "flyte")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A system to compare with."""

    name: str
    python: str

    def measure(self, scenario: str) -> Figures | None:
        """Runs one scenario; None if the peer has nothing like it. Raises SystemExit with its output if it fails."""
        program = Path(__file__).with_name("peer_programs") / f"{self.name}_peer.py"
        command = [self.python, str(program), scenario]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise SystemExit(f"{self.name}, {scenario}: {done.stderr[-2000:]}")
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        return answer if answer else None


def parse_peer(text: str) -> Peer:
    """A peer from `NAME=PYTHON`. Raises ValueError."""
    name, separator, python = text.partition("=")
    if not separator or name not in NAMES:
        raise ValueError(f"give a peer as NAME=PYTHON with NAME one of {', '.join(NAMES)}, not {text!r}")
    if not Path(python).exists():
        raise ValueError(f"there is no interpreter {python}")
    return Peer(name=name, python=python)
