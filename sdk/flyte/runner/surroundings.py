"""What surrounds the code of an attempt: its variables and secrets, put in place before and taken away after it."""

from __future__ import annotations

import os

from flyte.runner.attempt import Attempt, variables_of
from flyte.runner.isolation import ProcessIsolation
from flyte.runner.secret_files import SecretFiles
from flyte.runner.startup import Startup


class Surroundings:
    """Puts in place and takes away. A fresh worker ends with its attempt, so only a replica puts back what was before."""

    def __init__(self, startup: Startup) -> None:
        self._isolation = ProcessIsolation((startup.cwd, startup.temp)) if startup.replica else None
        self._secret_files = SecretFiles(startup.secrets_folder)

    def enter(self, attempt: Attempt) -> None:
        """Puts an attempt's surroundings in place; idempotent. Raises ValueError, OSError."""
        if attempt.entered:
            return
        attempt.entered = True
        if self._isolation is not None:
            self._isolation.begin()
        assign = attempt.assign
        variables = variables_of(attempt.run, assign, attempt.spec)
        for name, value in assign.secret_env.items():
            variables[name] = os.fsdecode(value)
        if assign.secret_files:
            variables |= self._secret_files.write(assign.secret_files)
        os.environ.update(variables)

    def leave(self, attempt: Attempt) -> None:
        """Takes them away."""
        if not attempt.entered:
            return
        for task in attempt.tasks:
            task.cancel()
        if attempt.assign.secret_files:
            self._secret_files.remove(attempt.assign.secret_files)
        if self._isolation is not None:
            self._isolation.end()

    def close(self) -> None:
        """Removes what lies outside of the worker's own folder."""
        self._secret_files.close()
