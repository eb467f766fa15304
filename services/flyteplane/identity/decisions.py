"""May this caller do that there? Pure: everything that has to be looked up was looked up before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flyteplane.foundation.errors import PermissionDenied, PlatformError
from flyteplane.identity.callers import Caller, Role
from flyteplane.identity.places import Located
from flyteplane.identity.policies import Access, Policy


@dataclass(frozen=True, slots=True)
class Demand:
    """A role that a call needs somewhere."""

    role: Role
    at: Located
    somewhere: bool = False
    """Some part of the place is enough."""

    def met_by(self, caller: Caller) -> bool:
        """Whether the caller has the role there."""
        has = caller.may_somewhere if self.somewhere or self.at.shared else caller.may
        return has(self.role, self.at.scope)


def refusal_of_access(policy: Policy | None, method: str) -> PlatformError | None:
    """The refusal of an rpc that no client may call, whoever it is; None if some may."""
    if policy is not None and policy.access is not Access.INTERNAL:
        return None
    return PermissionDenied(
        f"{_rpc(method)} is for the platform itself",
        reason="RPC_NOT_FOR_CLIENTS",
        metadata={"method": method.lstrip("/")},
    )


def refusal(
    policy: Policy, caller: Caller, demands: Sequence[Demand], *, method: str, request: Any
) -> PlatformError | None:
    """Why a call is refused; None if it may go on.

    Args:
        demands: what the call needs; the first is about the thing itself.
    """
    missing = next((demand for demand in demands if not demand.met_by(caller)), None)
    if missing is None:
        return None
    if policy.absent is not None and missing is demands[0] and not replace(missing, role=Role.VIEWER).met_by(caller):
        return policy.absent(request)
    return lacks_role(caller, missing.role, missing.at, what=_rpc(method))


def lacks_role(caller: Caller, role: Role, at: Located, *, what: str) -> PermissionDenied:
    """The refusal that names the role."""
    scope = at.scope
    return PermissionDenied(
        f"{caller.subject} may not call {what} for {scope.words}: it needs the role {role.word} there",
        reason="ROLE_MISSING",
        metadata={"role": role.word, "project": scope.project, "domain": scope.domain},
        mend="`flyte whoami` shows the roles you have; somebody with the role admin can grant more.",
    )


def _rpc(method: str) -> str:
    return method.rpartition("/")[2]
