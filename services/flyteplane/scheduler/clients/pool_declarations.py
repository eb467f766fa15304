"""How the reuse pool is told of a pool: the identity of what its replicas share, and what they are made of.

Variables that a run gives to its tasks are part of the identity: tasks of several runs may be on one replica at once.
On a cluster of pods an attempt that must not be interrupted and one that may be are of two pools, and the run's service
account is part of the identity, as both are settled when a pod is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.task.v1.task_spec_pb2 import Entrypoint, TaskSpec
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.scheduler.application.wire import class_message
from flyteplane.scheduler.clients.worker_specs import may_be_interrupted

if TYPE_CHECKING:
    from flyteplane.cluster.ports import Cluster
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import BundlePath, RunKey, SecretsClient
    from flyteplane.scheduler.domain.queueing.classes import ResourceClass

#: What a pool's name depends on, as far as it can be told without asking anyone.
PoolKey: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """A pool that is to be declared, as the action that is the first to need it was placed."""

    run: RunKey
    template: TaskSpec
    cluster: str
    resource_class: str
    on_pods: bool
    """Its replicas are pods, which see nothing of this machine."""
    run_env: Mapping[str, str] = field(default_factory=dict)


class PoolDeclarations:
    """Declares the pools of actions, which were placed on a cluster and in a class already.

    Args:
        clusters: where replicas are placed, by name.
        resource_class: a class by its name.
    """

    def __init__(
        self,
        *,
        clusters: Mapping[str, Cluster],
        resource_class: Callable[[str], ResourceClass | None],
        secrets: SecretsClient,
        bundle_path: BundlePath,
    ) -> None:
        self._lasting = frozenset(name for name, cluster in clusters.items() if cluster.outlives_owner)
        self._resource_class = resource_class
        self._secrets = secrets
        self._bundle_path = bundle_path

    def key_of(self, action: Action) -> PoolKey:
        """Two actions with one key have one pool. With secrets, each run asks for their versions anew."""
        run, spec, state = action.run.key, action.task.spec, action.state
        own_run = run.name if spec.secrets or spec.reuse.scope == "run" else ""
        run_env = tuple(sorted(env.items())) if (env := action.run.settings.env) else ()
        key = (run.project, run.domain, own_run, run_env, action.task.digest, state.cluster, state.resource_class)
        if not self.on_pods(action):
            return key
        return (*key, may_be_interrupted(action), action.run.settings.service_account)

    def on_pods(self, action: Action) -> bool:
        """Whether the replicas of the action's pool are pods."""
        return action.state.cluster in self._lasting

    def plan(self, action: Action) -> PoolPlan:
        """What is to be declared for an action."""
        state = action.state
        return PoolPlan(
            run=action.run.key,
            template=self._template(action),
            cluster=state.cluster,
            resource_class=state.resource_class,
            on_pods=self.on_pods(action),
            run_env=dict(action.run.settings.env),
        )

    async def declare(self, plan: PoolPlan) -> DeclarePool:
        """The declaration of a pool. Raises PlatformError."""
        run, template = plan.run, plan.template
        if not plan.cluster:
            raise InvalidArgument(
                "no cluster of the queue can carry the pool of this task any more",
                reason="NO_REPLICAS_THERE",
                field="queue",
                mend="Submit it again: the refusal then says what it lacks.",
            )
        bundle = "" if plan.on_pods else template.entrypoint.bundle_digest
        path = await self._bundle_path(bundle) if bundle else ""
        versions = await self._secrets.versions(run, template.secrets) if template.secrets else ()
        scope_run = run.name if template.reuse.scope == "run" else ""
        name = pool_name(
            template,
            run=run,
            scope_run=scope_run,
            secret_versions=versions,
            cluster=plan.cluster,
            resource_class=plan.resource_class,
            run_env=plan.run_env,
        )
        shape = self._resource_class(plan.resource_class)
        return DeclarePool(
            pool=name,
            scope=Scope(project=run.project, domain=run.domain),
            environment=template.environment,
            run=scope_run,
            policy=template.reuse,
            template=template,
            bundle_path=path,
            secret_versions=[version for version, _ in versions],
            cluster=plan.cluster,
            resource_class=class_message(shape) if shape is not None else None,
            run_env=plan.run_env,
        )

    def _template(self, action: Action) -> TaskSpec:
        """The task, with what a pod takes from its run and attempt."""
        spec, interruptible, account = action.task.spec, False, action.task.spec.service_account
        if self.on_pods(action):
            interruptible, account = may_be_interrupted(action), account or action.run.settings.service_account
        if (interruptible, account) == (spec.interruptible, spec.service_account):
            return spec
        template = TaskSpec()
        template.CopyFrom(spec)
        template.interruptible, template.service_account = interruptible, account
        return template


def pool_name(
    spec: TaskSpec,
    *,
    run: RunKey,
    scope_run: str,
    secret_versions: Sequence[tuple[int, str]],
    cluster: str,
    resource_class: str,
    run_env: Mapping[str, str],
) -> str:
    """Identity of the pool that runs a task: SHA-256 in hex over all that its replicas share."""
    shared = TaskSpec(
        environment=spec.environment,
        image=spec.image,
        resources=spec.resources,
        env=spec.env,
        secrets=spec.secrets,
        reuse=spec.reuse,
        pod_template=spec.pod_template,
        service_account=spec.service_account,
        interruptible=spec.interruptible,
        entrypoint=Entrypoint(bundle_digest=spec.entrypoint.bundle_digest),
    )
    of_run = TaskSpec(env=run_env).SerializeToString(deterministic=True)
    total = hashlib.sha256(shared.SerializeToString(deterministic=True))
    found = (f"{version}@{scope}" for version, scope in secret_versions)
    for text in (run.project, run.domain, scope_run, cluster, resource_class, *found):
        total.update(len(text).to_bytes(4, "big") + text.encode())
    total.update(of_run)
    return total.hexdigest()
