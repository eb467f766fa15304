"""Coordination between processes: leaders, leases, membership, live state that others mirror.

Holds a few hundred bytes a key and nothing that must outlive the loss of the store; the authority on execution is the
database. Everything that a leader writes there is fenced by the epoch that it got here.
"""

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

__all__ = [
    "Change",
    "Compare",
    "Coordination",
    "Delete",
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
