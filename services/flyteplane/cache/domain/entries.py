"""What the cache keeps, and when it may be used.

A key says what was computed (task, interface, version, inputs) and never where or when. Its scope is a project and
domain, or empty for results that the whole organisation shares because a run asked for that.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from flyteplane.foundation.errors import InvalidArgument

#: Bytes of a key's digest (SHA-256).
DIGEST_BYTES: Final = 32
#: Most keys, entries or items of one request.
MOST_ITEMS: Final = 1_000
#: Longest name of a task, version, producer or owner that is kept.
MOST_CHARACTERS: Final = 2_048
#: Longest name of a project or domain.
MOST_SCOPE_CHARACTERS: Final = 63


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
    refuse_bad_scope(project, domain)
    return EntryKey(project, domain, digest)


def refuse_bad_scope(project: str, domain: str) -> None:
    """Raises InvalidArgument for a project without a domain, or the other way round, and for what can be no name."""
    if bool(project) != bool(domain):
        raise InvalidArgument(
            "a scope has both a project and a domain, or neither",
            field="scope",
            mend="Give both or leave both empty.",
        )
    for name, text in (("project", project), ("domain", domain)):
        if len(text) > MOST_SCOPE_CHARACTERS or not text.isprintable() or "/" in text:
            raise InvalidArgument(
                f"{text[:MOST_SCOPE_CHARACTERS]!r} is no name of a {name}",
                field=f"scope.{name}",
                limit=f"{MOST_SCOPE_CHARACTERS} printable characters without /",
            )


def refuse_bad_text(text: str, *, field: str, without: str = "") -> str:
    """The text. Raises InvalidArgument for one that is too long to be kept, or with a character that cannot be."""
    if len(text) > MOST_CHARACTERS:
        raise InvalidArgument(
            f"it has {len(text)} characters", field=field, limit=f"{MOST_CHARACTERS}", mend="Give a shorter one."
        )
    for character in f"\0{without}":
        if character in text:
            raise InvalidArgument(f"it has the character {character!r}", field=field, mend="Leave it out.")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored result."""

    key: EntryKey
    outputs: bytes
    """Serialised payload; empty in lists."""
    producer: str
    """The action that computed it, "project/domain/run/action"."""
    task_name: str
    cache_version: str
    objects: tuple[str, ...] = ()
    """Addresses of the data that the outputs refer to: without these the entry is worth nothing."""
    created_at: float = 0.0
    used_at: float = 0.0
    """When it was used last, to the hour."""
    size_bytes: int = 0
    """Length of the outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A result to store."""

    entry: Entry
    overwrite: bool = False
    """Replace what is there."""
    reservation: int = 0
    """Token under which it was computed; 0: none was taken."""
    max_age_s: float | None = None
    """A value that is older is replaced all the same."""


class PutOutcome(IntEnum):
    """What became of a result that was to be stored. Numbers are those of `flyteapi.cache.v1`."""

    STORED = 1
    EXISTED = 2
    FENCED = 3


def put_outcome(item: Item, *, present: Entry | None, holder: int | None) -> PutOutcome:
    """What to do with an item, given the entry that is there and the token that holds the key by now.

    Whoever computed under a reservation that somebody else has taken since may not store, unless this is the very
    store that it has done already.
    """
    if item.reservation and item.reservation != holder:
        done = present is not None and present.producer == item.entry.producer
        return PutOutcome.EXISTED if done else PutOutcome.FENCED
    if present is None or item.overwrite:
        return PutOutcome.STORED
    usable = is_usable(present, max_age_s=item.max_age_s, now=item.entry.created_at)
    return PutOutcome.EXISTED if usable else PutOutcome.STORED


def is_usable(entry: Entry, *, max_age_s: float | None, now: float) -> bool:
    """True if the entry is young enough for whoever asks. An age of 0 makes every entry too old."""
    return max_age_s is None or now - entry.created_at < max_age_s
