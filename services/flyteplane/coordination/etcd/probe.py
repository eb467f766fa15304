"""Looking at each member once, at the start, so that an operator learns what is wrong with which endpoint."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

import grpc

from etcdserverpb.maintenance_pb2 import StatusRequest
from flyteplane.coordination.etcd.errors import cause_of
from flyteplane.coordination.etcd.members import Member
from flyteplane.foundation.errors import FailedPrecondition, Unavailable
from flyteplane.observe import get_logger

_log = get_logger("coordination")

#: The oldest release that gives signs of life on a watch.
_OLDEST: Final = (3, 4)
_RELEASE: Final = re.compile(r"(\d+)\.(\d+)")


async def check_members(members: Sequence[Member], *, timeout_s: float) -> None:
    """Ask every member how it is; one that can be used is enough, the others are logged.

    Raises:
        Unavailable: none can be used.
        FailedPrecondition: one is too old.
    """
    causes = await asyncio.gather(*(_cause(member, timeout_s) for member in members))
    found = [f"{member.endpoint}: {cause}" for member, cause in zip(members, causes, strict=True) if cause]
    if len(found) == len(members):
        raise Unavailable(
            f"no endpoint of etcd can be used ({'; '.join(found)})",
            reason="COORDINATION_UNAVAILABLE",
            field="endpoints",
            mend="Check that etcd runs and that endpoints and certificates are right.",
        )
    for line in found:
        _log.warning("etcd_endpoint_unusable", problem=line)


async def _cause(member: Member, timeout_s: float) -> str:
    """Why a member cannot be used; empty when it can."""
    try:
        status = await member.maintenance.Status(StatusRequest(), timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        # An answer that asks who we are is an answer.
        return "" if error.code() in _ANSWERED else cause_of(error)
    release = _RELEASE.match(status.version)
    if release is None or tuple(map(int, release.groups())) < _OLDEST:
        raise FailedPrecondition(
            f"{member.endpoint} is etcd {status.version}",
            field="endpoints",
            limit="3.4 or later",
            mend="Upgrade etcd.",
        )
    return ""


_ANSWERED: Final = {
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
}
