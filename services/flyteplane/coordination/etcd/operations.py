"""Conditions and operations of a transaction in etcd's messages."""

from collections.abc import Sequence
from typing import Final

from etcdserverpb import kv_pb2
from flyteplane.coordination.etcd.keyspace import Keyspace
from flyteplane.coordination.values import Compare, CompareOperator, CompareTarget, Delete, Operation, Put
from flyteplane.foundation.errors import InvalidArgument

_RESULTS: Final = {
    CompareOperator.EQUAL: kv_pb2.Compare.EQUAL,
    CompareOperator.NOT_EQUAL: kv_pb2.Compare.NOT_EQUAL,
    CompareOperator.LESS: kv_pb2.Compare.LESS,
    CompareOperator.GREATER: kv_pb2.Compare.GREATER,
}


def transaction(
    keyspace: Keyspace, when: Sequence[Compare], then: Sequence[Operation], otherwise: Sequence[Operation]
) -> kv_pb2.TxnRequest:
    """The request that applies `then` if all of `when` hold, else `otherwise`."""
    return kv_pb2.TxnRequest(
        compare=[_condition(keyspace, compare) for compare in when],
        success=[_operation(keyspace, operation) for operation in then],
        failure=[_operation(keyspace, operation) for operation in otherwise],
    )


def put(keyspace: Keyspace, operation: Put) -> kv_pb2.PutRequest:
    """The request that writes a key."""
    return kv_pb2.PutRequest(key=keyspace.stored(operation.key), value=operation.value, lease=operation.lease_id)


def delete(keyspace: Keyspace, operation: Delete) -> kv_pb2.DeleteRangeRequest:
    """The request that removes a key or all that start with it."""
    if not operation.prefix:
        return kv_pb2.DeleteRangeRequest(key=keyspace.stored(operation.key))
    keys = keyspace.below(operation.key)
    return kv_pb2.DeleteRangeRequest(key=keys.start, range_end=keys.end)


def _operation(keyspace: Keyspace, operation: Operation) -> kv_pb2.RequestOp:
    if isinstance(operation, Put):
        return kv_pb2.RequestOp(request_put=put(keyspace, operation))
    return kv_pb2.RequestOp(request_delete_range=delete(keyspace, operation))


def _condition(keyspace: Keyspace, compare: Compare) -> kv_pb2.Compare:
    condition = kv_pb2.Compare(result=_RESULTS[compare.operator], key=keyspace.stored(compare.key))
    match compare.target, compare.expected:
        case CompareTarget.CREATE_REVISION, int(revision):
            condition.target, condition.create_revision = kv_pb2.Compare.CREATE, revision
        case CompareTarget.MOD_REVISION, int(revision):
            condition.target, condition.mod_revision = kv_pb2.Compare.MOD, revision
        case CompareTarget.VERSION, int(version):
            condition.target, condition.version = kv_pb2.Compare.VERSION, version
        case CompareTarget.VALUE, bytes(value):
            condition.target, condition.value = kv_pb2.Compare.VALUE, value
        case target, expected:
            raise InvalidArgument(f"{target.value} is not compared with {type(expected).__name__}", field="when")
    return condition
