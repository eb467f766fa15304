"""Pools and replicas as people are shown them."""

from flyteapi.reuse_pool.v1 import reuse_pool_service_pb2 as messages
from flyteapi.task.v1.task_spec_pb2 import ReusePolicy
from flyteplane.reuse_pool.application.reuse_pool import ReusePool
from flyteplane.reuse_pool.application.sessions import OpenPool, Session
from flyteplane.reuse_pool.domain.replica import Replica


def pool_message(pool: OpenPool, reuse_pool: ReusePool) -> messages.Pool:
    """A pool with its live figures."""
    state, declaration = pool.state, pool.declaration
    message = messages.Pool(
        pool=state.name,
        scope=declaration.scope,
        environment=declaration.environment,
        policy=_policy(pool),
        replicas=[_replica(replica, reuse_pool.session(replica.name)) for replica in state.roster],
        waiting=state.waiting,
        draining=state.draining,
        placed=state.placed,
        placed_warm=state.placed_warm,
        trouble=state.trouble,
        cluster=declaration.cluster,
        resource_class=declaration.resource_class.name,
        overflow_started=state.overflow_started,
        placed_in_lent_slots=state.placed_in_lent_slots,
        failed_starts=state.failures,
        replicas_lost=state.replicas_lost,
    )
    if pause_s := reuse_pool.start_pause_s(pool):
        message.start_pause.FromNanoseconds(int(pause_s * 1e9))
    message.created_at.FromNanoseconds(int(pool.created_at * 1e9))
    return message


def _policy(pool: OpenPool) -> ReusePolicy:
    """The declared policy with the bounds that hold now."""
    policy = ReusePolicy()
    policy.CopyFrom(pool.declaration.policy)
    policy.min_replicas = pool.state.policy.min_replicas
    policy.max_replicas = pool.state.policy.max_replicas
    return policy


def _replica(replica: Replica, session: Session | None) -> messages.Replica:
    message = messages.Replica(
        name=replica.name,
        state=replica.state.value,
        running=len(replica.attempts),
        at_work=replica.running,
        done=replica.done,
        resident_bytes=replica.resident_bytes,
        pid=replica.process_id,
        overflow=replica.overflow,
    )
    if session is not None:
        message.node = session.node
        message.started_at.FromNanoseconds(int(session.started_at * 1e9))
    return message
