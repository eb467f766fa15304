"""Reading a pool's declaration: its policy, the environment that it serves, and the worker that each replica is."""

from typing import NamedTuple

from flyte.spec.problems import InvalidSetting
from flyte.spec.quantities import parse_bytes, parse_cpu_millis
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.task.v1.task_spec_pb2 import ReusePolicy
from flyteplane.cluster.ports import WorkerSpec
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.reuse_pool.domain.policy import PoolPolicy


class EnvironmentKey(NamedTuple):
    """What successive identities have in common: a newer pool of an environment takes over from the older ones."""

    project: str
    domain: str
    environment: str
    run: str


def environment_of(declaration: DeclarePool) -> EnvironmentKey:
    """The environment that a pool serves."""
    scope = declaration.scope
    return EnvironmentKey(scope.project, scope.domain, declaration.environment, declaration.run)


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


def worker_spec(declaration: DeclarePool, *, name: str) -> WorkerSpec:
    """The worker of one replica. Secrets are no part of it: they come with each attempt, over the stream.

    Raises InvalidArgument for a quantity that cannot be read.
    """
    template, scope = declaration.template, declaration.scope
    memory = template.resources.memory_limit or template.resources.memory
    cpu = template.resources.cpu_limit or template.resources.cpu
    try:
        cpu_millis, memory_bytes = parse_cpu_millis(cpu) if cpu else 0, parse_bytes(memory) if memory else 0
    except InvalidSetting as error:
        raise InvalidArgument(str(error), field="template.resources") from error
    return WorkerSpec(
        name=name,
        replica=True,
        python_packages=tuple(template.image.python_packages),
        env={**template.image.env, **template.env},
        cpu_millis=cpu_millis,
        memory_bytes=memory_bytes,
        labels={
            "project": scope.project,
            "domain": scope.domain,
            "environment": declaration.environment,
            "pool": declaration.pool,
        },
    )
