"""What the pages with lists say of queues, pools, triggers, classes and tasks."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapi.admin.v1.trigger_service_pb2 import CATCH_UP_SKIP, Cron, FixedRate, Trigger, TriggerId
from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import Pool, Replica
from flyteapi.scheduler.v1.queue_service_pb2 import QUEUE_STATE_DRAINING, Queue
from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass
from flyteapi.secrets.v1.secrets_service_pb2 import SecretInfo
from flyteapi.task.v1.interface_pb2 import Parameter
from flyteapi.task.v1.task_spec_pb2 import ReusePolicy
from flyteapi.task.v1.value_pb2 import Pickle, Value
from flyteplane.console.views.amounts import bytes_text, cpu_text
from flyteplane.console.views.placement import class_view
from flyteplane.console.views.pools import pool_view
from flyteplane.console.views.queues import queue_view
from flyteplane.console.views.secrets import secret_view
from flyteplane.console.views.tasks import parameters
from flyteplane.console.views.triggers import trigger_view


def test_a_queue_without_limits_has_no_share() -> None:
    free = queue_view(Queue(name="default", running=3, waiting=4))
    assert (free.running, free.running_share, free.held, free.priority, free.drains) == ("3", None, "7", 500, False)
    bounded = queue_view(
        Queue(name="q", running=3, action_concurrency=4, depth=9, priority=0, state=QUEUE_STATE_DRAINING)
    )
    assert (bounded.running, bounded.running_share, bounded.held) == ("3 of 4", 0.75, "3 of 9")
    assert (bounded.priority, bounded.state_text, bounded.drains) == (0, "Draining", True)


def test_a_pool_is_as_full_as_its_replicas_are_at_work() -> None:
    pool = pool_view(
        Pool(
            pool="a" * 64,
            policy=ReusePolicy(min_replicas=1, max_replicas=2, concurrency=4),
            replicas=[Replica(name="one", state="warm", running=3, at_work=2, overflow=True)],
            placed=4,
            placed_warm=1,
            trouble="no image",
        )
    )
    assert (pool.occupied, pool.occupied_share, pool.bounds) == ("2 of 8", 0.25, "1 of 1 to 2")
    assert (pool.warm, pool.state, pool.short) == ("25%", "trouble", "a" * 12)
    assert pool.replicas[0].state == "warm, overflow"


def test_a_trigger_that_rests_has_no_next_time() -> None:
    resting = Trigger(
        id=TriggerId(project="p", domain="d", task_name="a/b.c", name="ni ght"),
        cron=Cron(expression="0 2 * * *"),
        next_fire_at=Timestamp(seconds=5),
        catch_up=CATCH_UP_SKIP,
    )
    view = trigger_view(resting)
    assert (view.next_at, view.schedule, view.zone, view.missed) == (
        None,
        "0 2 * * *",
        "UTC",
        "missed times are skipped",
    )
    assert view.path == "/triggers/p/d/a%2Fb.c/ni%20ght"
    every = Trigger(
        fixed_rate=FixedRate(interval=Duration(seconds=3600)), active=True, next_fire_at=Timestamp(seconds=5)
    )
    assert (trigger_view(every).schedule, trigger_view(every).next_at) == ("every 1 h", 5.0)
    assert trigger_view(Trigger()).schedule == "by hand only"


def test_a_class_says_what_is_left_of_its_quota() -> None:
    view = class_view(
        ResourceClass(
            name="big",
            max_cpu_millis=1500,
            max_memory_bytes=3 << 30,
            used_cpu_millis=500,
            quota_cpu_millis=2000,
            allow_privileged=True,
        )
    )
    assert (view.most, view.cpu, view.cpu_share, view.allows) == ("1.5 CPU, 3 GiB", "0.5 of 2", 0.25, "privileged mode")
    assert (view.memory, view.memory_share) == ("0", None)


def test_amounts_have_the_unit_that_people_use() -> None:
    assert [bytes_text(amount) for amount in (0, 1, 1024, 1536, 1 << 60)] == ["", "1 B", "1 KiB", "1.5 KiB", "1024 PiB"]
    assert [cpu_text(millis) for millis in (0, 100, 2000)] == ["", "0.1", "2"]


def test_a_secret_has_a_name_and_a_scope_and_nothing_else() -> None:
    assert secret_view(SecretInfo(key="K", group="db", scope=Scope(project="p"))).name == "db/K"
    assert secret_view(SecretInfo(key="K")).scope == "everywhere"


def test_defaults_that_are_no_json_are_left_to_the_program() -> None:
    pickled = Value(pickle=Pickle(data=b"x")).SerializeToString()
    shown = parameters(
        [
            Parameter(name="a", default_value=Value(string="x" * 500).SerializeToString()),
            Parameter(name="b", default_value=pickled),
            Parameter(name="c", default_value=b"\xff\xff"),
            Parameter(name="d", required=True),
        ]
    )
    assert [len(each.default) for each in shown] == [201, 18, 18, 0]
