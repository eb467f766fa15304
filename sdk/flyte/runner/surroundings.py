"""What surrounds the code of an attempt: its variables and secrets, put in place before and taken away after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flyte.authoring.logs import LOG_VARIABLES, apply_variables
from flyte.runner.attempt import Attempt
from flyte.runner.environment import AttemptEnvironment
from flyte.runner.secret_files import SecretFiles
from flyte.runner.startup import Startup

if TYPE_CHECKING:
    from flyte.runner.isolation import ProcessIsolation


class Surroundings:
    """Puts in place and takes away. A fresh worker ends with its attempt, so only a replica puts back what was
    before.
    """

    def __init__(self, startup: Startup) -> None:
        self._environment = AttemptEnvironment()
        self._isolation = _isolation(startup) if startup.replica else None
        self._secret_files = SecretFiles(
            startup.secrets_folder, may_mount=os.geteuid() == 0, in_memory=startup.secrets_in_memory
        )
        self._running = 0
        self._secrets_in_place = False
        """The environment holds values of secrets."""
        self._log_variables: tuple[str | None, ...] = (None,) * len(LOG_VARIABLES)

    def enter(self, attempt: Attempt) -> None:
        """Puts an attempt's surroundings in place; idempotent. Raises ValueError, OSError."""
        if attempt.entered:
            return
        attempt.entered = True
        self._running += 1
        variables, assign = attempt.variables, attempt.assign
        for name, value in assign.secret_env.items():
            if b"\0" in value:
                from flyte.spec.secrets import refuse_zero_byte

                refuse_zero_byte(name)
            variables[name] = os.fsdecode(value)
            self._secrets_in_place = True
        if assign.secret_files:
            variables |= self._secret_files.write(assign.secret_files)
        if self._running == 1:
            self._environment.put_in_place(variables)
        else:
            self._environment.add(variables)
        # Of attempts that share a process the last one decides.
        if (wanted := tuple(map(variables.get, LOG_VARIABLES))) != self._log_variables:
            self._log_variables = wanted
            apply_variables(variables)

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Modules are imported in the block, in the surroundings of the attempt that is the first to need them.

        What they set in passing is not put back: they are not imported again, and may rely on it. Nothing is kept of
        modules that cannot be imported.
        """
        if self._isolation is None:
            yield
            return
        with self._isolation.importing():
            yield
        self._environment.keep()

    def leave(self, attempt: Attempt, *, last: bool) -> None:
        """Takes them away; what differs from one attempt to the next anyway goes when the next one comes.

        Args:
            last: none of the attempts is left that share the process.
        """
        if not attempt.entered:
            return
        self._running -= 1
        for task in attempt.tasks:
            task.cancel()
        assign = attempt.assign
        if assign.secret_files:
            self._secret_files.remove(assign.secret_files)
        if self._running or self._isolation is None:
            return
        if last:
            if self._secrets_in_place or self._environment.was_changed:
                self._environment.put_in_place({})
                self._secrets_in_place = False
            self._isolation.put_back()
        else:
            self._isolation.clear_folders()

    def close(self) -> None:
        """Removes what lies outside of the worker's own folder."""
        self._secret_files.close()


def _isolation(startup: Startup) -> ProcessIsolation:
    from flyte.runner.isolation import ProcessIsolation

    return ProcessIsolation(cwd=startup.cwd, temp=startup.temp, cwd_is_own=startup.cwd_is_own)
