"""What surrounds an attempt in this process: its variables and its secrets, taken away again when it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyte.local.described import DescribedTask
from flyte.spec.secrets import SECRETS_FOLDER, Secret, refuse_zero_byte

if TYPE_CHECKING:
    from flyte.local.settings import LocalRunSettings

SECRETS_VARIABLE: Final = "FLYTE_SECRETS_DIR"
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


def surroundings(task: DescribedTask, attempt: int, *, run: LocalRunSettings) -> AbstractContextManager[None]:
    """Put the variables and secrets of an attempt in place inside the block.

    `attempt` is how many there were before; only then is there a variable that says so.

    Entering raises RuntimeUserError for a secret that there is not.
    """
    if not (task.image_variables or run.env_vars or task.variables or task.secrets or attempt):
        return _NOTHING
    return _in_place(task, attempt, run)


@contextmanager
def _in_place(task: DescribedTask, attempt: int, run: LocalRunSettings) -> Iterator[None]:
    variables = {**task.image_variables, **run.env_vars, **task.variables}
    if attempt:
        variables["FLYTE_ATTEMPT_NUMBER"] = str(attempt)
    folder: str | None = None
    try:
        if task.secrets:
            values = run.secrets.resolve(task.secrets, project=run.project, domain=run.domain)
            for secret, value in values.items():
                if secret.as_env_var and b"\0" in value:
                    refuse_zero_byte(secret.as_env_var)
            variables |= {
                secret.as_env_var: os.fsdecode(value) for secret, value in values.items() if secret.as_env_var
            }
            folder = _files(values)
        with run.variables.applied({**variables, SECRETS_VARIABLE: folder} if folder else variables):
            yield
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _files(values: Mapping[Secret, bytes]) -> str | None:
    """Write the secrets that are asked for as files into a private folder and return that; None if there are none."""
    wanted = {secret.file_path: value for secret, value in values.items() if secret.file_path is not None}
    if not wanted:
        return None
    memory = "/dev/shm"
    folder = tempfile.mkdtemp(prefix="flyte-secrets-", dir=memory if os.access(memory, os.W_OK) else None)
    for path, value in wanted.items():
        target = Path(folder) / path.relative_to(SECRETS_FOLDER)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_bytes(value)
    return folder
