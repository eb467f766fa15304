"""The folder of the platform of this machine, and what a running platform says there.

`platform.json` is written last when the platform is ready and names its endpoint, so whoever finds it can connect
without being told anything.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER_VARIABLE: Final = "FLYTE_PLATFORM_DATA"
STATE_FILE: Final = "platform.json"
LOG_FILE: Final = "platform.log"
CONSOLE_LINK_FILE: Final = "console.json"


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """What `platform.json` says. The platform may have been killed since."""

    endpoint: str
    pid: int
    version: str
    folder: Path
    objects: str = ""
    """URI of its object store; empty: the folder `objects/` of its own."""
    console: str = ""
    """Where people look at it in a browser; empty: nowhere."""
    certificate: str = ""
    """File of the certificate of its endpoint; empty: it speaks no TLS."""


def platform_folder(given: str | Path | None = None) -> Path:
    """Return the folder: the given one, or `FLYTE_PLATFORM_DATA`, or `~/.flyte/platform`."""
    chosen = given or os.environ.get(FOLDER_VARIABLE) or Path.home() / ".flyte" / "platform"
    return Path(chosen).expanduser().absolute()


def read_platform(folder: Path) -> RunningPlatform | None:
    """Return what the folder says of a running platform; None if it says nothing that can be read."""
    try:
        state = json.loads((folder / STATE_FILE).read_text())
        return RunningPlatform(
            endpoint=str(state["endpoint"]),
            pid=int(state["pid"]),
            version=str(state.get("version", "")),
            folder=folder,
            objects=str(state.get("objects", "")),
            console=str(state.get("console", "")),
            certificate=str(state.get("certificate", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_console_link(folder: Path) -> str:
    """Return the link that lets the owner of a platform into its console, once; empty if there is none.

    The platform puts another one in its place as soon as a link was used.
    """
    try:
        return str(json.loads((folder / CONSOLE_LINK_FILE).read_text())["link"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
