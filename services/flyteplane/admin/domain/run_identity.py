"""What makes two requests the same run.

A caller that heard no answer asks again. Three rules make that safe:

- A generated name is derived from the request id, so the second request finds the first run under the same name even if
  nobody remembers the id.
- A run's digest covers everything that decides what it computes. Same name and same digest: the same run.
- A request id is used for one run only; with other content it is a mistake of the caller and is refused.
"""

import hashlib
from typing import Final

from flyteplane.admin.domain.run import RunDraft, RunRecord
from flyteplane.foundation.errors import AlreadyExists, PlatformError

_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAME_CHARACTERS: Final = 19


def generated_run_name(*, project: str, domain: str, created_by: str, request_id: str) -> str:
    """The name of the run that this caller's request makes: `r` and 19 lower-case base-36 characters."""
    number = int.from_bytes(_digest(project, domain, created_by, request_id), "big")
    characters = []
    for _ in range(_NAME_CHARACTERS):
        number, digit = divmod(number, 36)
        characters.append(_BASE36[digit])
    return "r" + "".join(characters)


def run_digest(*, task_digest: bytes, inputs: bytes, inputs_digest: bytes, settings: bytes) -> bytes:
    """SHA-256 over what decides what a run computes; every part marks where it ends."""
    return _digest(task_digest, inputs, inputs_digest, settings)


def draft_digest(draft: RunDraft) -> bytes:
    """The digest of the run that a draft asks for."""
    return run_digest(
        task_digest=draft.task.digest, inputs=draft.inputs, inputs_digest=draft.inputs_digest, settings=draft.settings
    )


def same_run(draft: RunDraft, existing: RunRecord) -> bool:
    """Whether a draft asks for a run that is there already.

    A draft that asks for the newest version of a task is content with the version that was the newest then.
    """
    task_digest = draft.task.digest
    if draft.task.newest and draft.task.name == existing.task_name:
        task_digest = existing.task_digest
    asked = run_digest(
        task_digest=task_digest, inputs=draft.inputs, inputs_digest=draft.inputs_digest, settings=draft.settings
    )
    return asked == existing.digest and (not draft.name or draft.name == existing.key.name)


def conflict(draft: RunDraft, existing: RunRecord) -> PlatformError:
    """The refusal of a draft whose name or request id belongs to another run."""
    if draft.request_id and draft.request_id == existing.request_id:
        return AlreadyExists(
            f"the request id {draft.request_id!r} was used for the run {existing.key} with other content",
            reason="REQUEST_ID_REUSED",
            field="request_id",
            mend="Use a new request id for each run; repeat a request unchanged to get the same run.",
        )
    return AlreadyExists(
        f"there is a run {existing.key} with another task, inputs or settings; it was not touched",
        reason="RUN_EXISTS",
        field="run.name",
        mend="Choose another name, or leave it empty to have one generated.",
    )


def _digest(*parts: bytes | str) -> bytes:
    total = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        total.update(len(content).to_bytes(8, "big"))
        total.update(content)
    return total.digest()
