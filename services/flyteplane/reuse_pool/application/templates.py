"""Reading a pool's declaration: its policy, the environment that it serves, and the worker that each replica is."""

from typing import NamedTuple

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.task.v1.task_spec_pb2 import ReusePolicy
from flyteplane.cluster.ports import PodRequest, WorkerSpec
from flyteplane.cluster.python_installs import installs_of
from flyteplane.cluster.requests import constraints_of, pod_request, worker_limits
from flyteplane.reuse_pool.domain.policy import PoolPolicy


class EnvironmentKey(NamedTuple):
    """What successive identities have in common: a newer pool of an environment takes over from the older ones."""

    project: str
    domain: str
    environment: str
    run: str
    cluster: str
    """An environment whose tasks are called through several queues may have a pool on each of their clusters."""
    interruptible: bool
    """On pods, attempts that must not be interrupted have a pool beside that of the others."""
    run_env: tuple[tuple[str, str], ...]
    """Runs that give their tasks other variables have pools beside each other."""


def environment_of(declaration: DeclarePool) -> EnvironmentKey:
    """The environment that a pool serves."""
    scope = declaration.scope
    return EnvironmentKey(
        scope.project,
        scope.domain,
        declaration.environment,
        declaration.run,
        declaration.cluster,
        declaration.template.interruptible,
        tuple(sorted(declaration.run_env.items())),
    )


def policy_of(policy: ReusePolicy) -> PoolPolicy:
    """The policy with its defaults filled in. Raises InvalidArgument."""
    idle_ttl_s = policy.idle_ttl.ToNanoseconds() / 1e9 if policy.HasField("idle_ttl") else 30.0
    scaledown_ttl_s = policy.scaledown_ttl.ToNanoseconds() / 1e9 if policy.HasField("scaledown_ttl") else 30.0
    return PoolPolicy(
        min_replicas=policy.min_replicas,
        max_replicas=policy.max_replicas,
        concurrency=max(1, policy.concurrency),
        idle_ttl_s=idle_ttl_s,
        scaledown_ttl_s=scaledown_ttl_s,
    )


def worker_spec(declaration: DeclarePool, *, name: str, token: str = "", is_pod: bool = False) -> WorkerSpec:
    """The worker of one replica. Secrets are no part of it: they come with each attempt, over the stream.

    Args:
        token: with which a pod says who it is.

    Raises InvalidArgument for a quantity that cannot be read.
    """
    template, scope = declaration.template, declaration.scope
    limits = worker_limits(template.resources)
    return WorkerSpec(
        name=name,
        replica=True,
        python_installs=installs_of(template.image),
        env={**template.image.env, **declaration.run_env, **template.env},
        cpu_millis=limits.cpu_millis,
        memory_bytes=limits.memory_bytes,
        labels={
            "project": scope.project,
            "domain": scope.domain,
            "environment": declaration.environment,
            "pool": declaration.pool,
        },
        token=token,
        pod=_pod_request(declaration) if is_pod else None,
    )


def _pod_request(declaration: DeclarePool) -> PodRequest:
    template = declaration.template
    shape = declaration.resource_class if declaration.HasField("resource_class") else None
    return pod_request(template, constraints=constraints_of(shape), interruptible=template.interruptible)
