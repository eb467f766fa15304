"""What is on the platform, as objects: runs, actions, deployed tasks, projects, secrets and the caller.

Every method that speaks to the platform blocks when called and is awaited as `.aio`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flyte.client.call_metadata import auth_metadata
    from flyte.remote.action import Action, ActionDetails
    from flyte.remote.condition import Condition
    from flyte.remote.files import upload_dir, upload_file
    from flyte.remote.listing import TimeFilter
    from flyte.remote.project import Project
    from flyte.remote.run import Run
    from flyte.remote.run_details import RunDetails
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
    "auth_metadata",
    "upload_dir",
    "upload_file",
]

#: Where each is; loaded when it is asked for, because a command needs few of them.
_MODULE_OF: Final = {
    "Action": "flyte.remote.action",
    "ActionDetails": "flyte.remote.action",
    "ActionInputs": "flyte.remote.values",
    "ActionOutputs": "flyte.remote.values",
    "Condition": "flyte.remote.condition",
    "LazyEntity": "flyte.remote.task",
    "Project": "flyte.remote.project",
    "Run": "flyte.remote.run",
    "RunDetails": "flyte.remote.run_details",
    "Secret": "flyte.remote.secret",
    "SecretTypes": "flyte.remote.secret",
    "Task": "flyte.remote.task",
    "TaskDetails": "flyte.remote.task",
    "TimeFilter": "flyte.remote.listing",
    "Trigger": "flyte.remote.trigger",
    "TriggerDetails": "flyte.remote.trigger",
    "User": "flyte.remote.user",
    "auth_metadata": "flyte.client.call_metadata",
    "upload_dir": "flyte.remote.files",
    "upload_file": "flyte.remote.files",
}
_ABSENT: Final = {
    "App": "This platform serves no apps.",
    "Artifact": "This platform keeps no artifacts: pass outputs on, or read them with Run.get(name).outputs().",
    "PartitionSchema": "This platform keeps no artifacts.",
    "Settings": "Settings of projects are kept with flyte.remote.Project; those of a process with flyte.init().",
}


def __getattr__(name: str) -> Any:
    if name in _ABSENT:
        raise ImportError(f"flyte.remote.{name} is not part of this SDK. {_ABSENT[name]}")
    if name in _MODULE_OF:
        value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
        return value
    raise AttributeError(f"module 'flyte.remote' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
