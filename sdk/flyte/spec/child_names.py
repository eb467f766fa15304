"""The name of a child action: derived from the call, never random.

A parent that is tried again, or recovered in a new run, makes the same calls and so derives the same names, and is
given the results of the children that are done already. The derivation is part of the platform's compatibility: a
change of it would make the children of every run that is under way anew.
"""

from __future__ import annotations

from typing import Final

ROOT_ACTION: Final = "a0"
"""Name of the root action of every run, which no derived name can be."""

NAME_LENGTH: Final = 20
"""Characters of a derived name: a letter, then letters and digits, all lower case."""

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LETTERS: Final = _DIGITS[10:]
_PAIRS: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)
_PAIR_COUNT: Final = len(_PAIRS)
_HALF_PAIRS: Final = range(NAME_LENGTH // 4)


def derive_child_name(*, parent: str, task_identity: bytes, inputs_digest: bytes, sequence: int, group: str) -> str:
    """Return the name of a child, 20 characters that are a well-formed name everywhere.

    - `parent`: name of the parent action; the root of a run has one, so names differ between actions, not between runs.
    - `task_identity`, `inputs_digest`: see flyte.spec.digests.
    - `sequence`: how often the parent made this very call before, from 0.
    - `group`: name of the group that the call is made in; empty for none.
    """
    parent_bytes, group_bytes = parent.encode(), group.encode()
    head = b"%d:%d:%d:%d:%d:" % (
        *(len(parent_bytes), len(task_identity), len(inputs_digest), sequence, len(group_bytes)),
    )
    import hashlib

    digest = hashlib.sha256(head + parent_bytes + task_identity + inputs_digest + group_bytes).digest()
    high, low = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")
    pairs = []
    for half in (high, low):
        for _ in _HALF_PAIRS:
            half, pair = divmod(half, _PAIR_COUNT)
            pairs.append(_PAIRS[pair])
    return _LETTERS[digest[16] % len(_LETTERS)] + "".join(pairs)[1:]
