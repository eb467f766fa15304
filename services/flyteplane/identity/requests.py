"""What a request is about: one small function for each way in which requests say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from flyteplane.identity.callers import EVERYWHERE, Role, Scope
from flyteplane.identity.places import ObjectUri, Place, PoolName, Target

#: From a request to what it is about.
About: TypeAlias = Callable[[Any], Target]
#: From a request to what else it touches: the role that each needs there.
Also: TypeAlias = Callable[[Any], Iterable[tuple[Role, Place]]]


def whole_platform(request: Any) -> Target:
    """Of the platform itself."""
    return Target(EVERYWHERE)


def named(*fields: str) -> About:
    """A thing of the platform that some field names, such as `queue.name`."""

    def about(request: Any) -> Target:
        return Target(EVERYWHERE, "/".join(filter(None, (_field(request, field) for field in fields))))

    return about


def of_run(request: Any) -> Target:
    """A request with a run."""
    return _run(request.run)


def of_source_run(request: Any) -> Target:
    """A request with the run that another one is made of."""
    return _run(request.source)


def of_action(request: Any) -> Target:
    """A request with an action."""
    target = _run(request.action.run)
    return Target(target.place, f"{target.text}/{request.action.name}")


def of_place(request: Any) -> Target:
    """A request with a project and a domain of its own."""
    name = _field(request, "name") or _field(request, "task_name") or _field(request, "version")
    return Target(
        Scope(request.project, request.domain), "/".join(filter(None, (request.project, request.domain, name)))
    )


def of_upload(request: Any) -> Target:
    """The first message of an upload."""
    return of_place(request.object)


def of_project(request: Any) -> Target:
    """A request with the id of a project."""
    return Target(Scope(request.id), request.id)


def of_trigger(request: Any) -> Target:
    """A request with the id of a trigger."""
    return _trigger(request.id)


def of_new_trigger(request: Any) -> Target:
    """A request with a whole trigger."""
    return _trigger(request.trigger.id)


def of_scope(request: Any) -> Target:
    """A request with a scope, and perhaps the key of a secret or the name of a task."""
    scope = Scope(request.scope.project, request.scope.domain)
    names = (
        scope.project,
        scope.domain,
        _field(request, "group"),
        _field(request, "key"),
        _field(request, "task_name"),
    )
    return Target(scope, "/".join(filter(None, names)))


def of_pool(request: Any) -> Target:
    """A request with the name of a pool."""
    return Target(PoolName(request.pool), request.pool)


def of_object(request: Any) -> Target:
    """A request with the URI of an object."""
    return Target(ObjectUri(request.uri), request.uri)


def of_grant(request: Any) -> Target:
    """A request with a subject and what it is to have or to lose."""
    scope = Scope(request.grant.scope.project, request.grant.scope.domain)
    return Target(scope, request.subject)


def first_cache_key(request: Any) -> Target:
    """Cached results that are chosen by task, or by their keys; `cache_keys` asks for the scopes of all keys."""
    if request.HasField("scope") or not request.keys:
        return of_scope(request)
    return Target(_scope(request.keys[0].scope), f"{len(request.keys)} results")


# --- what a request touches beside ------------------------------------------------------------------------------------


def nothing(request: Any) -> Sequence[tuple[Role, Place]]:
    """Nothing else."""
    return ()


def parts_of_run(request: Any) -> list[tuple[Role, Place]]:
    """What a new run is made of: a task that may be deployed elsewhere, inputs that lie in the store, and the run that
    it takes results from."""
    also = _inputs(request) + _recovered(request)
    if request.WhichOneof("task") == "deployed":
        task, run = request.deployed, request.run
        also.append((Role.VIEWER, Scope(task.project or run.project, task.domain or run.domain)))
    return also


def inputs(request: Any) -> list[tuple[Role, Place]]:
    """Inputs that lie in the store."""
    return _inputs(request)


def parts_of_trigger(request: Any) -> list[tuple[Role, Place]]:
    """What the runs of a trigger are made of."""
    return _inputs(request.trigger) + _recovered(request.trigger)


def cache_keys(request: Any) -> list[tuple[Role, Place]]:
    """Every scope of the keys."""
    return [(Role.OPERATOR, _scope(key.scope)) for key in request.keys]


def granted(request: Any) -> list[tuple[Role, Place]]:
    """Nobody gives a key more than it may give."""
    return [(Role.ADMIN, _scope(grant.scope)) for grant in request.grants]


def _inputs(message: Any) -> list[tuple[Role, Place]]:
    if message.inputs.WhichOneof("place") != "reference":
        return []
    return [(Role.VIEWER, ObjectUri(message.inputs.reference.uri))]


def _recovered(message: Any) -> list[tuple[Role, Place]]:
    """A recovery gives the new run the results of another one, so it is a look at that one."""
    if not message.settings.HasField("recover_from"):
        return []
    return [(Role.VIEWER, _scope(message.settings.recover_from))]


def _run(run: Any) -> Target:
    return Target(Scope(run.project, run.domain), "/".join(filter(None, (run.project, run.domain, run.name))))


def _trigger(named: Any) -> Target:
    return Target(Scope(named.project, named.domain), f"{named.project}/{named.domain}/{named.task_name}/{named.name}")


def _scope(scope: Any) -> Scope:
    return Scope(scope.project, scope.domain)


def _field(request: Any, path: str) -> str:
    found = request
    for part in path.split("."):
        found = getattr(found, part, "")
    return found if isinstance(found, str) else ""
