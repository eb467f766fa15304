"""Which action is running, and in which group."""

from __future__ import annotations

import itertools
import string
from dataclasses import dataclass, replace
from typing import Final

_LETTERS: Final = string.ascii_lowercase
_LETTERS_AND_DIGITS: Final = string.ascii_lowercase + string.digits
_RANDOM_LENGTH: Final = 20


def generate_random_name() -> str:
    """Return a random name that is a well-formed name of a run: 20 letters and digits, a letter first."""
    # It brings hmac and random along, which a program that only declares tasks has no use for.
    import secrets

    rest = (secrets.choice(_LETTERS_AND_DIGITS) for _ in range(_RANDOM_LENGTH - 1))
    return secrets.choice(_LETTERS) + "".join(rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionID:
    """The identity of an action; one without a run is the root of a run of its own name."""

    name: str
    run_name: str | None = None
    project: str | None = None
    domain: str | None = None
    org: str | None = None

    def __post_init__(self) -> None:
        if self.run_name is None:
            object.__setattr__(self, "run_name", self.name)

    @classmethod
    def create_random(cls) -> ActionID:
        """Make the identity of the root of a run with a random name."""
        name = generate_random_name()
        return cls(name=name, run_name=name)

    def new_sub_action(self, name: str | None = None) -> ActionID:
        """Return the identity of another action of the same run."""
        return replace(self, name=name or generate_random_name())

    def new_sub_action_from(self, task_call_seq: int, task_hash: str, input_hash: str, group: str | None) -> ActionID:
        """Return the identity of a child that is the same whenever this action makes the same call again."""
        from flyte.spec.child_names import derive_child_name

        name = derive_child_name(
            parent=self.name,
            task_identity=task_hash.encode(),
            inputs_digest=input_hash.encode(),
            sequence=task_call_seq,
            group=group or "",
        )
        return self.new_sub_action(name)

    def unique_id_str(self, salt: str | None = None) -> str:
        """Return the whole identity as one text."""
        parts = (self.org, self.project, self.domain, self.run_name, self.name, salt)
        return "-".join(part for part in parts if part)


class CallCounter:
    """Counts equal calls, so that each has a number of its own. Threads may share one."""

    def __init__(self) -> None:
        self._made: dict[str, itertools.count[int]] = {}

    def next(self, call_key: str) -> int:
        """Return how often `next` was called with this key, this time included."""
        return next(self._made.setdefault(call_key, itertools.count(1)))


@dataclass(frozen=True, slots=True)
class GroupData:
    """The group that children are shown under."""

    name: str
