"""Coordination between processes: leaders, leases, membership, live state that others mirror.

Holds a few hundred bytes a key and nothing that must outlive the loss of the store; the authority on execution is the
database. Everything that a leader writes there is fenced by the epoch that it got here.
"""

from typing import TYPE_CHECKING

from flyteplane.coordination.election import Leadership
from flyteplane.coordination.keeper import HeldLease, hold_lease
from flyteplane.coordination.memory import MemoryCoordination
from flyteplane.coordination.port import Coordination, Mirror
from flyteplane.coordination.values import (
    Change,
    Compare,
    Delete,
    KeyValue,
    Put,
    TxnResult,
    absent,
    created_at,
    holds,
    present,
    unchanged,
)

if TYPE_CHECKING:
    from flyteplane.coordination.etcd.adapter import EtcdCoordination
    from flyteplane.coordination.etcd.settings import EtcdSettings

__all__ = [
    "Change",
    "Compare",
    "Coordination",
    "Delete",
    "EtcdCoordination",
    "EtcdSettings",
    "HeldLease",
    "KeyValue",
    "Leadership",
    "MemoryCoordination",
    "Mirror",
    "Put",
    "TxnResult",
    "absent",
    "created_at",
    "hold_lease",
    "holds",
    "present",
    "unchanged",
]


def __getattr__(name: str) -> object:
    """Import the etcd adapter for those who ask for it: everyone else does without etcd's messages."""
    if name == "EtcdCoordination":
        from flyteplane.coordination.etcd.adapter import EtcdCoordination

        return EtcdCoordination
    if name == "EtcdSettings":
        from flyteplane.coordination.etcd.settings import EtcdSettings

        return EtcdSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
