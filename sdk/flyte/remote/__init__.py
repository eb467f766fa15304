"""What is on the platform, as objects: runs, actions, deployed tasks, projects, secrets and the caller.

Every method that speaks to the platform blocks when called and is awaited as `.aio`.
"""

from __future__ import annotations

from typing import Any, Final

from flyte.remote.action import Action, ActionDetails
from flyte.remote.condition import Condition
from flyte.remote.files import upload_dir, upload_file
from flyte.remote.listing import TimeFilter
from flyte.remote.project import Project
from flyte.remote.run import Run, RunDetails
from flyte.remote.secret import Secret, SecretTypes
from flyte.remote.task import LazyEntity, Task, TaskDetails
from flyte.remote.trigger import Trigger, TriggerDetails
from flyte.remote.user import User
from flyte.remote.values import ActionInputs, ActionOutputs

__all__ = [
    "Action",
    "ActionDetails",
    "ActionInputs",
    "ActionOutputs",
    "Condition",
    "LazyEntity",
    "Project",
    "Run",
    "RunDetails",
    "Secret",
    "SecretTypes",
    "Task",
    "TaskDetails",
    "TimeFilter",
    "Trigger",
    "TriggerDetails",
    "User",
    "upload_dir",
    "upload_file",
]

_ABSENT: Final = {
    "App": "This platform serves no apps.",
    "Artifact": "This platform keeps no artifacts: pass outputs on, or read them with Run.get(name).outputs().",
    "PartitionSchema": "This platform keeps no artifacts.",
    "Settings": "Settings of projects are kept with flyte.remote.Project; those of a process with flyte.init().",
    "auth_metadata": "Credentials are those of flyte.init(api_key=...) and cannot change from call to call.",
}


def __getattr__(name: str) -> Any:
    if name in _ABSENT:
        raise ImportError(f"flyte.remote.{name} is not part of this SDK. {_ABSENT[name]}")
    raise AttributeError(f"module 'flyte.remote' has no attribute {name!r}")
