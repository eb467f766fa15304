"""Where things are shown. The one place that knows how addresses of pages are made."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from flyteapi.common.v1.identity_pb2 import RunId


def run_path(run: RunId) -> str:
    """The page of a run."""
    return f"/runs/{quote(run.project, safe='')}/{quote(run.domain, safe='')}/{quote(run.name, safe='')}"


def action_path(run: RunId, action: str) -> str:
    """The page of an action of a run."""
    return f"{run_path(run)}/actions/{quote(action, safe='')}"


def rerun_path(run: RunId, *, recover: bool = False) -> str:
    """The launch form, filled with what a run was started with."""
    asked = {"rerun": f"{run.project}/{run.domain}/{run.name}", **({"recover": "1"} if recover else {})}
    return f"/launch?{urlencode(asked)}"


def launch_path(project: str, domain: str, task: str, *, version: str = "") -> str:
    """The launch form of a deployed task; without a version of its newest."""
    asked = {"task": f"{project}/{domain}/{task}", **({"version": version} if version else {})}
    return f"/launch?{urlencode(asked)}"


def task_path(project: str, domain: str, name: str, *, version: str = "") -> str:
    """The page of a task, or of one of its versions."""
    path = f"/tasks/{quote(project, safe='')}/{quote(domain, safe='')}/{quote(name, safe='')}"
    return f"{path}/{quote(version, safe='')}" if version else path


def path_of_cached(producer: str) -> str:
    """The page of an action that is named as "project/domain/run/action"; empty for anything else."""
    parts = producer.split("/")
    if len(parts) != 4 or not all(parts):
        return ""
    project, domain, run, action = (quote(part, safe="") for part in parts)
    return f"/runs/{project}/{domain}/{run}/actions/{action}"
