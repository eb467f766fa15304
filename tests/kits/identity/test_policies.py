"""Every rpc has a policy, and every role is let in exactly where the policy says."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest

from flyteplane.foundation.errors import NotFound, PermissionDenied
from flyteplane.identity.callers import EVERYWHERE, Caller, Grant, Role, Scope
from flyteplane.identity.decisions import Demand, refusal, refusal_of_access
from flyteplane.identity.places import Located, ObjectUri, PoolName, Target
from flyteplane.identity.policies import POLICIES, Access, Policy
from flyteplane.launcher.rpc_services import request_readers, rpc_services, worker_rpc_services
from flyteplane.launcher.services import SERVICE_NAMES

READERS = request_readers()
METHODS = sorted(READERS)
OURS = Scope("a", "development")
#: Grants beside one scope, and whether they hold in it.
SCOPES = [
    (EVERYWHERE, True),
    (Scope("a"), True),
    (OURS, True),
    (Scope("", "development"), True),
    (Scope("b", "development"), False),
    (Scope("a", "production"), False),
    (Scope("", "production"), False),
]


def request_of(method: str) -> Any:
    """A request about something in `OURS`, as far as its rpc knows projects."""
    message = READERS[method](b"")
    _fill(message)
    return message


def _fill(message: Any, *, depth: int = 0) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            if field.name in ("grants", "keys"):
                _fill(getattr(message, field.name).add(), depth=depth + 1)
        elif field.message_type is not None and depth < 4 and field.containing_oneof is None:
            getattr(message, field.name).SetInParent()
            _fill(getattr(message, field.name), depth=depth + 1)
        elif field.name in ("project", "id") and field.type == field.TYPE_STRING:
            setattr(message, field.name, OURS.project)
        elif field.name == "domain":
            setattr(message, field.name, OURS.domain)


def place_of(policy: Policy, message: Any) -> Located:
    """Where the request's target lies; pools and objects lie in `OURS`."""
    place = policy.about(message).place
    return Located(OURS if isinstance(place, PoolName | ObjectUri) else place)


def let_in(method: str, caller: Caller) -> bool:
    policy, message = POLICIES[method], request_of(method)
    if refusal_of_access(policy, method) is not None:
        return False
    if policy.access is not Access.ROLE:
        return True
    demands = [Demand(policy.role, place_of(policy, message), policy.somewhere)]
    demands += [
        Demand(role, Located(place if isinstance(place, Scope) else OURS)) for role, place in policy.also(message)
    ]
    return refusal(policy, caller, demands, method=method, request=message) is None


def test_every_rpc_has_a_policy() -> None:
    served = {
        f"/{service.full_name}/{method.name}"
        for name in SERVICE_NAMES
        for service in rpc_services(name)
        for method in service.methods
    }
    assert served - POLICIES.keys() == set(), "an rpc without a policy is denied to everybody: write one"
    unknown = {name for name in POLICIES.keys() - served if not name.startswith("/grpc.")}
    assert unknown == set(), "a policy of an rpc that there is not"
    workers = {service.full_name for name in SERVICE_NAMES for service in worker_rpc_services(name)}
    assert not [name for name in POLICIES if name.split("/")[1] in workers]


def test_an_rpc_without_a_policy_is_refused() -> None:
    assert isinstance(refusal_of_access(None, "/flyteapi.admin.v1.RunService/DropAll"), PermissionDenied)


@pytest.mark.parametrize("method", METHODS)
def test_each_role_is_let_in_exactly_where_it_holds(method: str) -> None:
    policy = POLICIES[method]
    assert let_in(method, Caller(subject="nobody in particular")) is (policy.access is Access.AUTHENTICATED)
    for role in Role:
        for scope, holds in SCOPES:
            caller = Caller(subject="key:k", grants=(Grant(role, scope),))
            assert let_in(method, caller) is _expected(policy, method, role, scope, holds), (role, scope)


def _expected(policy: Policy, method: str, role: Role, scope: Scope, holds: bool) -> bool:
    if policy.access is not Access.ROLE:
        return policy.access is Access.AUTHENTICATED
    if role < policy.role:
        return False
    about = policy.about(request_of(method)).place
    if about == EVERYWHERE and not policy.somewhere:
        return scope == EVERYWHERE
    if policy.somewhere and not list(policy.also(request_of(method))):
        return about == EVERYWHERE or scope.project in ("", OURS.project)
    # Whoever rules one domain of a project does not rule the project.
    return holds and (about != Scope(OURS.project) or not scope.domain)


#: What the roles are for, in a few rpcs each; the table cannot be changed without changing this.
@pytest.mark.parametrize(
    ("role", "methods"),
    [
        (
            Role.VIEWER,
            ("RunService/GetRun", "RunService/StreamLogs", "SecretsService/ListSecrets", "ReusePoolService/GetPool"),
        ),
        (
            Role.RUNNER,
            ("RunService/CreateRun", "RunService/AbortRun", "TaskService/DeployTasks", "DataService/UploadObject"),
        ),
        (Role.OPERATOR, ("QueueService/PutQueue", "SecretsService/CreateSecret", "CacheService/Invalidate")),
        (Role.ADMIN, ("IdentityService/CreateApiKey", "IdentityService/GrantRole", "ProjectService/CreateProject")),
    ],
)
def test_roles_are_what_people_are_told_they_are(role: Role, methods: tuple[str, ...]) -> None:
    for method in methods:
        (policy,) = [row for name, row in POLICIES.items() if name.endswith(method)]
        assert policy.role is role


def test_whatever_writes_is_written_down() -> None:
    reading = ("Get", "List", "Watch", "Stream", "Explain", "Count", "Download", "CreateDownload", "Check", "Server")
    for method, policy in POLICIES.items():
        if policy.access is Access.ROLE:
            assert policy.changes is not method.rpartition("/")[2].startswith(reading), method


def test_nobody_gives_a_key_more_than_it_has() -> None:
    method = "/flyteapi.admin.v1.IdentityService/CreateApiKey"
    assert let_in(method, Caller(subject="key:k", grants=(Grant(Role.ADMIN, OURS),)))
    assert not let_in(method, Caller(subject="key:k", grants=(Grant(Role.ADMIN, Scope("b")),)))


def test_a_run_of_a_task_that_one_may_not_see_is_refused() -> None:
    method = "/flyteapi.admin.v1.RunService/CreateRun"
    policy, message = POLICIES[method], request_of(method)
    message.deployed.project, message.deployed.name = "b", "env.task"
    assert Scope("b", OURS.domain) in [place for _, place in policy.also(message)]


#: Places that requests name and that nothing is read of: a filter, and what a rerun does not take over.
UNREAD = {"RunService/ListRuns source", "RunService/RerunRun settings.recover_from"}


def places_in(descriptor: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """Paths of all messages in a request that name a project and a domain."""
    for field in descriptor.fields:
        inner, here = field.message_type, f"{path}{field.name}"
        if inner is None or field.is_repeated or depth > 3:
            continue
        if "project" in inner.fields_by_name and "domain" in inner.fields_by_name:
            yield here
        yield from places_in(inner, f"{here}.", depth + 1)


def named_places() -> list[tuple[str, str]]:
    found = [(name, path) for name in METHODS for path in places_in(READERS[name](b"").DESCRIPTOR)]
    open_to_clients = [one for one in found if POLICIES[one[0]].access is Access.ROLE]
    return [(name, path) for name, path in open_to_clients if f"{name.split('.')[-1]} {path}" not in UNREAD]


@pytest.mark.parametrize(("method", "path"), [(name.lstrip("/"), path) for name, path in named_places()])
def test_no_place_that_a_request_names_goes_unasked(method: str, path: str) -> None:
    policy, message = POLICIES[f"/{method}"], request_of(f"/{method}")
    place = attrgetter(path)(message)
    place.project, place.domain = "elsewhere", "development"
    demands = [Demand(policy.role, place_of(policy, message), policy.somewhere)]
    demands += [Demand(role, Located(at)) for role, at in policy.also(message) if isinstance(at, Scope)]
    ours = Caller(subject="key:k", grants=(Grant(Role.ADMIN, OURS),))
    assert refusal(policy, ours, demands, method=method, request=message) is not None
    everywhere = Caller(subject="key:k", grants=(Grant(Role.ADMIN),))
    assert refusal(policy, everywhere, demands, method=method, request=message) is None


def test_what_one_may_not_see_is_not_there_and_what_one_may_only_see_is_refused_by_its_role() -> None:
    method = "/flyteapi.admin.v1.RunService/AbortRun"
    policy, message = POLICIES[method], request_of(method)
    demands = [Demand(policy.role, place_of(policy, message))]

    def refused(*grants: Grant) -> Exception | None:
        return refusal(policy, Caller(subject="key:k", grants=grants), demands, method=method, request=message)

    assert isinstance(refused(Grant(Role.ADMIN, Scope("b"))), NotFound)
    named = refused(Grant(Role.VIEWER, OURS))
    assert isinstance(named, PermissionDenied)
    assert named.metadata == {"role": "runner", "project": "a", "domain": "development"}
    assert refused(Grant(Role.RUNNER, OURS)) is None


def test_a_target_is_told_without_the_values_that_were_sent() -> None:
    method = "/flyteapi.secrets.v1.SecretsService/CreateSecret"
    message = request_of(method)
    message.key, message.value = "TOKEN", b"hush"
    assert POLICIES[method].about(message) == Target(OURS, "a/development/TOKEN")
