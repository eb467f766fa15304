"""The words of coordination: keys with their revisions, conditions, operations, changes.

The store has one revision, which grows by one with every transaction that changes something. A key remembers the
revision that created it and the one that changed it last; creation revisions serve as epochs, because no later
creation is smaller.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

#: The lease id of a key that no lease holds.
NO_LEASE: Final = 0
#: The most operations on either side of a transaction, and the most conditions: what etcd takes unless told otherwise.
MOST_OPERATIONS: Final = 128


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A key as it stands at some revision.

    Attributes:
        version: how many times the key was written since it was created; 1 after the creation.
        lease_id: the lease that the key ends with; `NO_LEASE` for none.
    """

    key: str
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease_id: int = NO_LEASE


class CompareTarget(Enum):
    """What of a key a condition looks at."""

    CREATE_REVISION = "create_revision"
    MOD_REVISION = "mod_revision"
    VERSION = "version"
    VALUE = "value"


class CompareOperator(Enum):
    """How it is compared with the expected value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    GREATER = ">"


@dataclass(frozen=True, slots=True)
class Compare:
    """A condition of a transaction.

    An absent key has 0 as its revisions and its version; a condition on its value never holds.
    """

    key: str
    target: CompareTarget
    expected: int | bytes
    operator: CompareOperator = CompareOperator.EQUAL


def absent(key: str) -> Compare:
    """The key does not exist."""
    return Compare(key, CompareTarget.CREATE_REVISION, 0)


def present(key: str) -> Compare:
    """The key exists."""
    return Compare(key, CompareTarget.CREATE_REVISION, 0, CompareOperator.GREATER)


def created_at(key: str, revision: int) -> Compare:
    """The key is still the one that this revision created: the fence of an epoch."""
    return Compare(key, CompareTarget.CREATE_REVISION, revision)


def unchanged(key: str, mod_revision: int) -> Compare:
    """The key was not written since this revision: compare and swap."""
    return Compare(key, CompareTarget.MOD_REVISION, mod_revision)


def holds(key: str, value: bytes) -> Compare:
    """The key has this value."""
    return Compare(key, CompareTarget.VALUE, value)


@dataclass(frozen=True, slots=True)
class Put:
    """Write a key; its lease becomes `lease_id`, whatever it was."""

    key: str
    value: bytes
    lease_id: int = NO_LEASE


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a key, or every key that starts with it when `prefix` is set. Nothing happens when there is none."""

    key: str
    prefix: bool = False


Operation: TypeAlias = Put | Delete


@dataclass(frozen=True, slots=True)
class TxnResult:
    """Attributes:
    succeeded: whether every condition held, so that the `then` operations were applied.
    revision: the store's revision after the transaction.
    """

    succeeded: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one key. `current` is None when it is gone, `previous` is None when it is new.

    A reader that is slow gets the changes of a key as one: the key may have been deleted and created in between, which
    shows in different creation revisions.
    """

    key: str
    previous: KeyValue | None
    current: KeyValue | None
