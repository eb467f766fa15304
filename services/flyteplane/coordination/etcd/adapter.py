"""The coordination port over etcd. See `Coordination` for what each call means.

Two things differ from the memory store by etcd's nature: ttls are whole seconds, so that a lease may live up to one
second longer than asked (and never ends before it was asked to), and `time_to_live` is rounded down.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self
from weakref import WeakSet

from etcdserverpb.kv_pb2 import RangeRequest
from etcdserverpb.lease_pb2 import (
    LeaseGrantRequest,
    LeaseKeepAliveRequest,
    LeaseKeepAliveResponse,
    LeaseRevokeRequest,
    LeaseTimeToLiveRequest,
)
from flyteplane.coordination.etcd import operations
from flyteplane.coordination.etcd.client import Attempt, EtcdClient
from flyteplane.coordination.etcd.errors import lease_not_found, unavailable
from flyteplane.coordination.etcd.keyspace import Keyspace
from flyteplane.coordination.etcd.mirror import EtcdMirror
from flyteplane.coordination.etcd.probe import check_members
from flyteplane.coordination.etcd.reading import read_all, read_range
from flyteplane.coordination.etcd.settings import EtcdSettings
from flyteplane.coordination.etcd.watch import Patience
from flyteplane.coordination.port import Coordination
from flyteplane.coordination.values import NO_LEASE, Compare, Delete, KeyValue, Operation, Put, TxnResult
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import InvalidArgument, NotFound

#: A mirror is compared with the store at least so often, in seconds.
COMPARE_S: Final = 300.0
_PATIENT: Final = Patience()


class EtcdCoordination(Coordination):
    """See `Coordination`. Connects by itself; `open` also looks whether that works.

    Args:
        clock: decides when silent watches are given up and lost ones begun again; deadlines of calls are the network's.
        patience: how long a watch may be silent.
        compare_s: how often mirrors are compared with the store, in seconds.
    """

    def __init__(
        self,
        settings: EtcdSettings,
        *,
        clock: TimerClock,
        patience: Patience = _PATIENT,
        compare_s: float = COMPARE_S,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._patience = patience
        self._compare_s = compare_s
        self._client = EtcdClient(settings, clock=clock)
        self._keyspace = Keyspace(settings.prefix)
        self._mirrors: WeakSet[EtcdMirror] = WeakSet()

    @classmethod
    async def open(cls, settings: EtcdSettings, *, clock: TimerClock) -> Self:
        """Connect, and make sure that keys below the prefix may be read.

        Raises:
            Unavailable: no endpoint can be used; says why for each of them.
            FailedPrecondition: etcd is too old, or the password cannot be read.
            Unauthenticated: name or password is wrong, or missing.
            PermissionDenied: the user may not read below the prefix.
        """
        coordination = cls(settings, clock=clock)
        try:
            await check_members(coordination._client.members.all, timeout_s=settings.timeout_s)
            await coordination._check_permission()
        except BaseException:
            await coordination.close()
            raise
        return coordination

    async def _check_permission(self) -> None:
        keys = self._keyspace.below("")
        await read_range(self._client, RangeRequest(key=keys.start, range_end=keys.end, limit=1))

    async def get(self, key: str) -> KeyValue | None:
        response = await read_range(self._client, RangeRequest(key=self._keyspace.stored(key)))
        return self._keyspace.key_value(response.kvs[0]) if response.kvs else None

    async def list(self, prefix: str) -> Sequence[KeyValue]:
        return (await read_all(self._client, self._keyspace, self._keyspace.below(prefix))).kept

    async def put(self, key: str, value: bytes, *, lease_id: int = NO_LEASE) -> int:
        request = operations.put(self._keyspace, Put(key, value, lease_id))
        response = await self._client.once(
            lambda attempt: attempt.member.kv.Put(request, timeout=attempt.timeout_s, metadata=attempt.metadata)
        )
        return response.header.revision

    async def delete(self, key: str) -> bool:
        request = operations.delete(self._keyspace, Delete(key))
        response = await self._client.once(
            lambda attempt: attempt.member.kv.DeleteRange(request, timeout=attempt.timeout_s, metadata=attempt.metadata)
        )
        return response.deleted > 0

    async def txn(
        self,
        *,
        when: Sequence[Compare],
        then: Sequence[Operation] = (),
        otherwise: Sequence[Operation] = (),
    ) -> TxnResult:
        request = operations.transaction(self._keyspace, when, then, otherwise)
        response = await self._client.once(
            lambda attempt: attempt.member.kv.Txn(request, timeout=attempt.timeout_s, metadata=attempt.metadata)
        )
        return TxnResult(response.succeeded, response.header.revision)

    async def grant(self, ttl_s: float) -> int:
        if ttl_s <= 0:
            raise InvalidArgument("a lease needs a ttl above 0 seconds", field="ttl_s", limit="> 0 s")
        request = LeaseGrantRequest(ttl=math.ceil(ttl_s))
        # Granted twice, one of the two ends by itself.
        response = await self._client.repeatable(
            lambda attempt: attempt.member.lease.LeaseGrant(
                request, timeout=attempt.timeout_s, metadata=attempt.metadata
            )
        )
        return response.id

    async def keep_alive(self, lease_id: int) -> float:
        request = LeaseKeepAliveRequest(id=lease_id)
        response = await self._client.repeatable(lambda attempt: _keep_alive(attempt, request))
        if response.ttl <= 0:
            raise lease_not_found(lease_id)
        return float(response.ttl)

    async def time_to_live(self, lease_id: int) -> float | None:
        request = LeaseTimeToLiveRequest(id=lease_id)
        response = await self._client.repeatable(
            lambda attempt: attempt.member.lease.LeaseTimeToLive(
                request, timeout=attempt.timeout_s, metadata=attempt.metadata
            )
        )
        return None if response.ttl < 0 else float(response.ttl)

    async def revoke(self, lease_id: int) -> None:
        request = LeaseRevokeRequest(id=lease_id)
        with suppress(NotFound):
            await self._client.repeatable(
                lambda attempt: attempt.member.lease.LeaseRevoke(
                    request, timeout=attempt.timeout_s, metadata=attempt.metadata
                )
            )

    def mirror(self, prefix: str) -> EtcdMirror:
        mirror = EtcdMirror(
            self._client,
            self._keyspace,
            prefix,
            clock=self._clock,
            patience=self._patience,
            compare_s=self._compare_s,
        )
        self._mirrors.add(mirror)
        return mirror

    async def close(self) -> None:
        for mirror in list(self._mirrors):
            await mirror.stop()
        await self._client.close()


async def _keep_alive(attempt: Attempt, request: LeaseKeepAliveRequest) -> LeaseKeepAliveResponse:
    """One renewal on a stream of its own: renewals are few, and a stream that lives on may die unnoticed."""
    call = attempt.member.lease.LeaseKeepAlive(timeout=attempt.timeout_s, metadata=attempt.metadata)
    try:
        await call.write(request)
        await call.done_writing()
        response = await call.read()
    finally:
        call.cancel()
    if isinstance(response, LeaseKeepAliveResponse):
        return response
    raise unavailable(f"{attempt.member.endpoint} has not answered a renewal")
