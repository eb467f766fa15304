"""Reading every key below a prefix as of one revision, in pages, so that no answer grows without bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from etcdserverpb.kv_pb2 import RangeRequest, RangeResponse
from flyteplane.coordination.etcd.client import EtcdClient
from flyteplane.coordination.etcd.errors import Compacted, unavailable
from flyteplane.coordination.etcd.keyspace import KeyRange, Keyspace
from flyteplane.coordination.values import KeyValue

#: Keys in one answer.
_PAGE: Final = 2000
#: How often a listing begins again because compaction overtook it.
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Listing:
    """All keys of a range, in their order, as they were at `revision`."""

    kept: Sequence[KeyValue]
    revision: int


async def read_all(client: EtcdClient, keyspace: Keyspace, keys: KeyRange) -> Listing:
    """Read a range. The revision is at least that of every change acknowledged before. Raises Unavailable."""
    for _ in range(_TRIES):
        try:
            return await _read_pages(client, keyspace, keys)
        except Compacted:
            continue
    raise unavailable("it is compacted faster than it can be read")


async def _read_pages(client: EtcdClient, keyspace: Keyspace, keys: KeyRange) -> Listing:
    kept: list[KeyValue] = []
    request = RangeRequest(key=keys.start, range_end=keys.end, limit=_PAGE)
    while True:
        response = await read_range(client, request)
        kept.extend(keyspace.key_value(item) for item in response.kvs)
        if not request.revision:
            request.revision = response.header.revision
        if not response.more:
            return Listing(kept, request.revision)
        request.key = response.kvs[-1].key + b"\0"


async def read_range(client: EtcdClient, request: RangeRequest) -> RangeResponse:
    """One answer. Raises Unavailable; Compacted when the request names a revision that is no longer kept."""
    return await client.repeatable(
        lambda attempt: attempt.member.kv.Range(request, timeout=attempt.timeout_s, metadata=attempt.metadata)
    )
