"""What the cache keeps, and when it may be used.

A key says what was computed (task, interface, version, inputs) and never where or when. Its scope is a project and
domain, or empty for results that the whole organisation shares because a run asked for that.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from flyteplane.foundation.errors import InvalidArgument

#: Bytes of a key's digest (SHA-256).
DIGEST_BYTES = 32
#: Most keys, entries or items of one request.
MOST_ITEMS = 1_000


class EntryKey(NamedTuple):
    """Identity of a result inside its scope."""

    project: str
    domain: str
    digest: bytes


def parse_key(project: str, domain: str, digest: bytes) -> EntryKey:
    """A key from its parts. Raises InvalidArgument."""
    if len(digest) != DIGEST_BYTES:
        raise InvalidArgument(
            f"a key's digest has {DIGEST_BYTES} bytes, not {len(digest)}", field="key.digest", mend="Give a SHA-256."
        )
    if bool(project) != bool(domain):
        raise InvalidArgument(
            "a scope has both a project and a domain, or neither",
            field="key.scope",
            mend="Give both or leave both empty.",
        )
    return EntryKey(project, domain, digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored result."""

    key: EntryKey
    outputs: bytes
    """Serialised payload."""
    producer: str
    """The action that computed it, "project/domain/run/action"."""
    task_name: str
    cache_version: str
    created_at: float = 0.0


class PutOutcome(IntEnum):
    """What became of a result that was to be stored. Numbers are those of `flyteapi.cache.v1`."""

    STORED = 1
    EXISTED = 2
    FENCED = 3


def is_usable(entry: Entry, *, max_age_s: float | None, now: float) -> bool:
    """True if the entry is young enough for whoever asks. An age of 0 makes every entry too old."""
    return max_age_s is None or now - entry.created_at < max_age_s
