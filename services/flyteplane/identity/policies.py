"""Which role each rpc needs, and where: the one table. An rpc that is not in it is refused to everybody.

A row says who may call (`access`, `role`), where the role must hold (`about`, `also`), whether the call changes
something (and so is written to the audit log), and in which words a thing is denied to whoever may not see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, TypeAlias

from flyteplane.foundation.errors import NotFound
from flyteplane.identity import hidden
from flyteplane.identity import requests as request
from flyteplane.identity.callers import Role
from flyteplane.identity.requests import About, Also

Absent: TypeAlias = Callable[[Any], NotFound]


class Access(Enum):
    """Who may call at all."""

    OPEN = "anybody, without a credential"
    AUTHENTICATED = "whoever proves who it is"
    ROLE = "whoever has the role there"
    INTERNAL = "no client: parts of the platform call it among themselves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an rpc needs."""

    access: Access
    role: Role = Role.ADMIN
    about: About = request.whole_platform
    also: Also = request.nothing
    somewhere: bool = False
    """The role need hold in some part of the place only: what is asked of belongs to all, or is filtered later."""
    changes: bool = False
    absent: Absent | None = None
    """The refusal for whoever may not even see it; None: PERMISSION_DENIED, which tells nothing of what is there."""


OPEN: Final = Policy(access=Access.OPEN)
AUTHENTICATED: Final = Policy(access=Access.AUTHENTICATED)
INTERNAL: Final = Policy(access=Access.INTERNAL)


def _needs(role: Role, about: About = request.whole_platform, *, absent: Absent | None = None) -> Policy:
    return Policy(access=Access.ROLE, role=role, about=about, absent=absent)


def _changes(
    role: Role, about: About, *, also: Also = request.nothing, absent: Absent | None = None, somewhere: bool = False
) -> Policy:
    row = Policy(access=Access.ROLE, role=role, about=about, also=also, absent=absent, somewhere=somewhere)
    return replace(row, changes=True)


def _shared(role: Role, about: About = request.whole_platform, *, absent: Absent | None = None) -> Policy:
    return replace(_needs(role, about, absent=absent), somewhere=True)


_VIEWER, _RUNNER, _OPERATOR, _ADMIN = Role.VIEWER, Role.RUNNER, Role.OPERATOR, Role.ADMIN

_RUNS: Final = {
    "CreateRun": _changes(_RUNNER, request.of_run, also=request.parts_of_run),
    "GetRun": _needs(_VIEWER, request.of_run, absent=hidden.no_run),
    "ListRuns": _needs(_VIEWER, request.of_place),
    "WatchRuns": _needs(_VIEWER, request.of_place),
    "WatchRun": _needs(_VIEWER, request.of_run, absent=hidden.no_run),
    "AbortRun": _changes(_RUNNER, request.of_run, absent=hidden.no_run),
    "RerunRun": _changes(_RUNNER, request.of_source_run, also=request.inputs),
    "GetAction": _needs(_VIEWER, request.of_action, absent=hidden.no_living_run),
    "ListActions": _needs(_VIEWER, request.of_run, absent=hidden.no_living_run),
    "CountActions": _needs(_VIEWER, request.of_run, absent=hidden.no_living_run),
    "GetActionData": _needs(_VIEWER, request.of_action, absent=hidden.no_living_run),
    "StreamLogs": _needs(_VIEWER, request.of_action, absent=hidden.no_run),
    "ExplainAction": _needs(_VIEWER, request.of_action, absent=hidden.no_living_run),
    "SignalAction": _changes(_RUNNER, request.of_action, absent=hidden.no_living_run),
}
_TASKS: Final = {
    "DeployTasks": _changes(_RUNNER, request.of_place),
    "GetTask": _needs(_VIEWER, request.of_place, absent=hidden.no_task),
    "ListTasks": _needs(_VIEWER, request.of_place),
}
_TRIGGERS: Final = {
    "PutTrigger": _changes(_RUNNER, request.of_new_trigger, also=request.parts_of_trigger),
    "GetTrigger": _needs(_VIEWER, request.of_trigger, absent=hidden.no_trigger),
    "ListTriggers": _needs(_VIEWER, request.of_place),
    "SetTriggerActive": _changes(_RUNNER, request.of_trigger, absent=hidden.no_trigger),
    "DeleteTrigger": _changes(_RUNNER, request.of_trigger, absent=hidden.no_trigger),
    "FireTrigger": _changes(_RUNNER, request.of_trigger, absent=hidden.no_trigger),
}
_PROJECTS: Final = {
    "CreateProject": _changes(_ADMIN, request.named("project.id")),
    "UpdateProject": _changes(_ADMIN, request.of_project, absent=hidden.no_project),
    "GetProject": _shared(_VIEWER, request.of_project, absent=hidden.no_project),
    # Answers with the projects that the caller may see.
    "ListProjects": AUTHENTICATED,
}
_DATA: Final = {
    "CreateUploadUrl": _changes(_RUNNER, request.of_place),
    "UploadObject": _changes(_RUNNER, request.of_upload),
    "CompleteUpload": _changes(_RUNNER, request.of_upload),
    "CreateDownloadUrl": _needs(_VIEWER, request.of_object, absent=hidden.no_object),
    "DownloadObject": _needs(_VIEWER, request.of_object, absent=hidden.no_object),
    "ListObjects": _needs(_VIEWER, request.of_object, absent=hidden.no_object),
    "GetStore": AUTHENTICATED,
}
_IDENTITY: Final = {
    "WhoAmI": AUTHENTICATED,
    "CreateApiKey": _changes(_ADMIN, request.named("name"), also=request.granted, somewhere=True),
    # These three answer with, and touch, what lies wholly in the caller's own scopes.
    "ListApiKeys": _shared(_ADMIN),
    "RevokeApiKey": _changes(_ADMIN, request.named("name"), somewhere=True),
    "ListRoleGrants": _shared(_ADMIN),
    "GrantRole": _changes(_ADMIN, request.of_grant),
    "RevokeRole": _changes(_ADMIN, request.of_grant),
    "ListAuditEntries": _needs(_ADMIN, request.of_scope),
}
_QUEUES: Final = {
    "PutQueue": _changes(_OPERATOR, request.named("queue.name")),
    "GetQueue": _shared(_VIEWER),
    "ListQueues": _shared(_VIEWER),
    "WatchQueues": _shared(_VIEWER),
    "DrainQueue": _changes(_OPERATOR, request.named("name")),
    "DeleteQueue": _changes(_OPERATOR, request.named("name")),
}
_CLASSES: Final = {
    "PutResourceClass": _changes(_OPERATOR, request.named("resource_class.name")),
    "GetResourceClass": _shared(_VIEWER),
    "ListResourceClasses": _shared(_VIEWER),
    "DeleteResourceClass": _changes(_OPERATOR, request.named("name")),
}
_POOLS: Final = {
    "ListPools": _needs(_VIEWER, request.of_scope),
    "WatchPools": _needs(_VIEWER, request.of_scope),
    "GetPool": _needs(_VIEWER, request.of_pool, absent=hidden.no_pool),
    "DrainPool": _changes(_OPERATOR, request.of_pool, absent=hidden.no_pool),
    "ResizePool": _changes(_OPERATOR, request.of_pool, absent=hidden.no_pool),
    "Assign": INTERNAL,
}
_CACHE: Final = {
    "ListEntries": _needs(_VIEWER, request.of_scope),
    "Invalidate": _changes(_OPERATOR, request.first_cache_key, also=request.cache_keys),
    **dict.fromkeys(("Lookup", "Put", "Reserve", "Extend", "Release", "Wait"), INTERNAL),
}
_SECRETS: Final = {
    "CreateSecret": _changes(_OPERATOR, request.of_scope),
    "UpdateSecret": _changes(_OPERATOR, request.of_scope),
    "DeleteSecret": _changes(_OPERATOR, request.of_scope),
    "ListSecrets": _needs(_VIEWER, request.of_scope),
    "GetSecret": _needs(_VIEWER, request.of_scope, absent=hidden.no_secret),
    "ListAccesses": _needs(_OPERATOR, request.of_scope),
    "ListKeys": _needs(_OPERATOR),
    "RotateKeys": _changes(_OPERATOR, request.whole_platform),
    **dict.fromkeys(("Resolve", "ResolveVersions"), INTERNAL),
}
_SCHEDULER: Final = dict.fromkeys(
    (
        *("AcceptRun", "AbortAction", "GetAction", "ListActions", "GetActionData", "WatchRun", "WatchRunPhases"),
        *("CountActions", "ListPausedRuns", "StreamLogs", "ExplainAction", "SignalAction"),
    ),
    INTERNAL,
)
_SERVICES: Final[Mapping[str, Mapping[str, Policy]]] = {
    "flyteapi.admin.v1.RunService": _RUNS,
    "flyteapi.admin.v1.TaskService": _TASKS,
    "flyteapi.admin.v1.TriggerService": _TRIGGERS,
    "flyteapi.admin.v1.ProjectService": _PROJECTS,
    "flyteapi.admin.v1.DataService": _DATA,
    "flyteapi.admin.v1.IdentityService": _IDENTITY,
    "flyteapi.admin.v1.EdgeService": dict.fromkeys(("Authenticate", "RecordCalls"), INTERNAL),
    "flyteapi.scheduler.v1.QueueService": _QUEUES,
    "flyteapi.scheduler.v1.ResourceClassService": _CLASSES,
    "flyteapi.scheduler.v1.ClusterService": {"ListClusters": _shared(_VIEWER)},
    "flyteapi.scheduler.v1.SchedulerService": _SCHEDULER,
    "flyteapi.reuse_pool.v1.ReusePoolService": _POOLS,
    "flyteapi.cache.v1.CacheService": _CACHE,
    "flyteapi.secrets.v1.SecretsService": _SECRETS,
    # Probes have no credentials, and are told nothing but whether the process serves.
    "grpc.health.v1.Health": dict.fromkeys(("Check", "Watch", "List"), OPEN),
    "grpc.reflection.v1.ServerReflection": {"ServerReflectionInfo": AUTHENTICATED},
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": AUTHENTICATED},
}

#: By full name, such as "/flyteapi.admin.v1.RunService/CreateRun".
POLICIES: Final[Mapping[str, Policy]] = {
    f"/{service}/{rpc}": policy for service, rows in _SERVICES.items() for rpc, policy in rows.items()
}
