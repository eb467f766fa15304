"""What is on the platform, as objects: runs, actions, deployed tasks, projects, secrets and the caller.

Every method that speaks to the platform blocks when called and is awaited as `.aio`.
"""

from __future__ import annotations

from flyte.remote.action import Action, ActionDetails
from flyte.remote.files import upload_file
from flyte.remote.listing import TimeFilter
from flyte.remote.project import Project
from flyte.remote.run import Run, RunDetails
from flyte.remote.secret import Secret, SecretTypes
from flyte.remote.task import LazyEntity, Task, TaskDetails
from flyte.remote.user import User
from flyte.remote.values import ActionInputs, ActionOutputs

__all__ = [
    "Action",
    "ActionDetails",
    "ActionInputs",
    "ActionOutputs",
    "LazyEntity",
    "Project",
    "Run",
    "RunDetails",
    "Secret",
    "SecretTypes",
    "Task",
    "TaskDetails",
    "TimeFilter",
    "User",
    "upload_file",
]
