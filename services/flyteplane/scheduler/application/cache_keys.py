"""Under which key an action's result is cached, and in which scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from google.protobuf.duration_pb2 import Duration

from flyte.spec.digests import cache_key
from flyteapi.cache.v1.cache_service_pb2 import CacheEntry, CacheKey
from flyteapi.common.v1.identity_pb2 import Scope
from flyteplane.scheduler.application import wire

if TYPE_CHECKING:
    from flyteplane.scheduler.application.living import Action

#: A key in a form that can be looked up: project, domain, digest.
Place: TypeAlias = tuple[str, str, bytes]


def is_cached(action: Action) -> bool:
    """Whether the action's result is cached: its task says so, its run does not object, its inputs are known."""
    return action.task.spec.cache.enabled and not action.run.settings.disable_cache and bool(action.inputs_digest)


def is_serialized(action: Action) -> bool:
    """Whether of equal calls at once only one computes."""
    return action.task.spec.cache.serialize and is_cached(action)


def digest_of(action: Action) -> bytes:
    """The digest of the action's key, made at the first call."""
    if not action.cache_key:
        action.cache_key = cache_key(
            task_name=action.task.spec.name,
            interface_digest=action.task.interface_digest,
            cache_version=action.task.spec.cache.version,
            inputs_digest=action.inputs_digest,
        )
    return action.cache_key


def place_of(action: Action) -> Place:
    """The action's key, in the scope that its run has chosen."""
    run = action.run
    if run.settings.cache_lookup_scope == "global":
        return "", "", digest_of(action)
    return run.key.project, run.key.domain, digest_of(action)


def owner_of(action: Action) -> str:
    """Under which name the action reserves its key."""
    return f"{action.run.key}/{action.name}"


def key_at(place: Place) -> CacheKey:
    """The key as the cache service has it."""
    project, domain, digest = place
    return CacheKey(scope=Scope(project=project, domain=domain), digest=digest)


def key_of(action: Action) -> CacheKey:
    """The action's key as the cache service has it."""
    return key_at(place_of(action))


def place_at(key: CacheKey) -> Place:
    """A key of the cache service in the form that can be looked up."""
    return key.scope.project, key.scope.domain, key.digest


def max_age_of(action: Action) -> Duration | None:
    """The greatest age of a result that the action takes; None for any."""
    policy = action.task.spec.cache
    return policy.max_age if policy.HasField("max_age") else None


def source_of(entry: CacheEntry) -> str:
    """The action that has computed a stored result, "project/domain/run/action"."""
    producer = entry.producer
    run = producer.run
    return f"{run.project}/{run.domain}/{run.name}/{producer.name}"


def takes(action: Action, entry: CacheEntry, *, now: float) -> bool:
    """Whether the action takes a stored result: its run does not compute everything again, and it is young enough."""
    if action.run.settings.overwrite_cache:
        return False
    max_age = max_age_of(action)
    return max_age is None or now - entry.created_at.ToMicroseconds() / 1e6 < wire.seconds(max_age)
