"""Everything that may go wrong, each as one function of the world. They come at random times, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.state.fleet.process import CONTACT_S

from flyteplane.cluster.ports import ExitReason
from flyteplane.scheduler.application.queue_admin import QueueAdministration
from flyteplane.scheduler.domain.phases import Phase

if TYPE_CHECKING:
    from tests.state.fleet.agent import Agent
    from tests.state.fleet.process import Process
    from tests.state.fleet.world import FleetWorld

#: Deaths of workers that are left to chance, below the budgets of the scheduler.
_MOST_LOST: Final = 10
#: By now a pod that is cut off has ended itself, which is when a cluster says that its node is gone.
_SURELY_DEAD_S: Final = CONTACT_S + 5.0

Trouble = Callable[["FleetWorld"], None]


def _some_process(world: FleetWorld) -> Process:
    """A process, more often the one that leads."""
    leader = world.leader()
    chosen = world.random.choice(world.processes)
    return leader if leader is not None and world.random.random() < 0.7 else chosen


def _for_a_while(world: FleetWorld, end: Callable[[], None], *, most_s: float = 15.0) -> None:
    world.clock.call_later(world.random.uniform(0.5, most_s), end)


# --- scheduler processes --------------------------------------------------------------------------------------------


def kill(world: FleetWorld) -> None:
    """kill -9 while nothing happens."""
    world.kill(_some_process(world))


def kill_at_an_effect(world: FleetWorld) -> None:
    """kill -9 just before or after something that the process does to the outside."""
    process = _some_process(world)
    process.life.on_burnt = lambda: world.kill(process)
    _light_fuse(world, process)


def stop(world: FleetWorld) -> None:
    """SIGTERM."""
    process = _some_process(world)
    if not process.life.dead:
        world.stop(process)


def pause(world: FleetWorld) -> None:
    """The process stands still, maybe for longer than its lease."""
    _stand_still(world, _some_process(world))


def pause_at_an_effect(world: FleetWorld) -> None:
    """The same, between asking for something and doing it, or before the answer is heard."""
    process = _some_process(world)
    process.life.on_burnt = lambda: _stand_still(world, process)
    _light_fuse(world, process)


def _light_fuse(world: FleetWorld, process: Process) -> None:
    name = world.random.choice(["", "", "start", "adopt", "others", "stop", "claim", "living"])
    process.life.fuse_for = name
    process.life.fuse = world.random.randint(1, 4 if name else 30)


def _stand_still(world: FleetWorld, process: Process) -> None:
    world.trace(f"{process.name} is paused")
    process.life.pause()
    _for_a_while(world, process.life.go_on, most_s=25.0)


def cut_coordination(world: FleetWorld) -> None:
    """The process cannot reach the coordination store, and loses its watch."""
    line = _some_process(world).line
    line.cut = True

    def mend() -> None:
        line.cut = False

    _for_a_while(world, mend)


def confuse_coordination(world: FleetWorld) -> None:
    """Calls of the coordination store are slow, and answers get lost although the call took effect."""
    line = _some_process(world).line
    line.loses_answers, line.slow_s = 0.3, world.random.choice([0.0, 1.0, 4.0])

    def mend() -> None:
        line.loses_answers = line.slow_s = 0.0

    _for_a_while(world, mend)


def set_clock(world: FleetWorld) -> None:
    """Somebody sets a machine's wall clock."""
    world.checker.jumped = True
    _some_process(world).clock.off_by_s = world.random.choice([-60.0, -5.0, 5.0, 60.0])


# --- the database ---------------------------------------------------------------------------------------------------


def slow_store(world: FleetWorld) -> None:
    """Commits take their time."""
    world.slow_store_s = world.random.choice([0.3, 2.0, 5.0])

    def mend() -> None:
        world.slow_store_s = 0.0

    _for_a_while(world, mend)


def ambiguous_commit(world: FleetWorld) -> None:
    """The next commit fails; whether it was stored only the store knows."""
    process = _some_process(world)
    if process.service is not None and not process.life.dead:
        records = process.service.records
        records.lose_answer = world.random.random() < 0.6
        records.refuse = not records.lose_answer


# --- the cluster ----------------------------------------------------------------------------------------------------


def api_away(world: FleetWorld) -> None:
    """The API server cannot be reached; pods go on."""
    world.trace("the API server is away")
    world.prod.away = True
    _for_a_while(world, _mend(world, "away", False), most_s=40.0)


def api_slow(world: FleetWorld) -> None:
    """It takes its time."""
    world.prod.slow_s = world.random.choice([0.5, 5.0])
    _for_a_while(world, _mend(world, "slow_s", 0.0))


def api_loses_answers(world: FleetWorld) -> None:
    """Requests take effect and are answered with an error."""
    world.prod.loses_answers = 0.4
    _for_a_while(world, _mend(world, "loses_answers", 0.0))


def quota(world: FleetWorld) -> None:
    """No more pods than these."""
    world.prod.quota = world.random.choice([1, 2])
    _for_a_while(world, _mend(world, "quota", 0), most_s=30.0)


def unschedulable(world: FleetWorld) -> None:
    """New pods get no node."""
    world.prod.stuck = True
    _for_a_while(world, _mend(world, "stuck", False), most_s=40.0)


def _mend(world: FleetWorld, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(world.prod, name, value)


# --- pods -----------------------------------------------------------------------------------------------------------


def _some_pod(world: FleetWorld) -> Agent | None:
    """A pod whose action may lose another attempt."""
    spared = []
    for agent in world.agents.values():
        labels = agent.pod.spec.labels
        program = next(each for each in world.programs if each.key.name == labels["run"])
        row = world.checker.row(program.key, labels["action"])
        if row is not None and row.system_failures < _MOST_LOST:
            spared.append(agent)
    return world.random.choice(spared) if spared else None


def lose_pod(world: FleetWorld) -> None:
    """Evicted, preempted, or gone with its node at once."""
    if (agent := _some_pod(world)) is not None:
        agent.kill(world.random.choice([ExitReason.EVICTED, ExitReason.PREEMPTED, ExitReason.LOST]))


def delete_pod(world: FleetWorld) -> None:
    """Somebody deletes a pod by hand."""
    if (agent := _some_pod(world)) is not None:
        agent.pod.why = ExitReason.POD_DELETED
        world.prod.delete(agent.pod, grace_s=world.random.choice([1.0, 5.0]))


def cut_pod_off(world: FleetWorld) -> None:
    """A node is cut off: its pod runs, and nobody hears of it; for good, or for a while."""
    agent = _some_pod(world)
    if agent is None:
        return
    agent.cut_off = True
    world.trace(f"pod {agent.label} is cut off")
    for stream in [stream for stream in world.streams if stream.listener is agent]:
        stream.lose(at_once=False)

    def mend() -> None:
        agent.cut_off = False

    if world.random.random() < 0.5:
        _for_a_while(world, mend)
    else:
        agent.pod.why = ExitReason.NODE_LOST
        world.clock.call_later(_SURELY_DEAD_S, lambda: agent.kill(ExitReason.NODE_LOST))


def disown_pod(world: FleetWorld) -> None:
    """A cluster believes a pod gone that runs on and reaches its scheduler."""
    agent = _some_pod(world)
    if agent is not None:
        agent.disowned = True
        world.prod.disown(agent.pod)


def freeze_pod(world: FleetWorld) -> None:
    """A pod's machine stands still, and goes on as if nothing had been."""
    if (agent := _some_pod(world)) is not None:
        agent.life.pause()
        world.trace(f"pod {agent.label} is frozen")
        _for_a_while(world, agent.life.go_on, most_s=30.0)


def lose_streams(world: FleetWorld) -> None:
    """Some streams break."""
    for stream in list(world.streams):
        if world.random.random() < 0.6:
            stream.lose(at_once=world.random.random() < 0.5)


def hide_process(world: FleetWorld) -> None:
    """Pods cannot reach a process, which knows nothing of it."""
    process = _some_process(world)
    process.unreachable = True
    for stream in [stream for stream in world.streams if stream.server is process]:
        stream.lose(at_once=False)

    def mend() -> None:
        process.unreachable = False

    _for_a_while(world, mend)


# --- people ---------------------------------------------------------------------------------------------------------


def reconfigure(world: FleetWorld) -> None:
    """An operator changes a queue: limits, priority, whether it accepts anything."""
    random = world.random
    queue = world.administration.queues[random.choice(sorted(world.administration.queues))]
    changed = replace(
        queue,
        action_concurrency=random.choice([0, 1, 2]),
        priority=random.choice([0, 500, 1000]),
        draining=random.random() < 0.3,
    )
    put(world, changed)


def put(world: FleetWorld, queue: object) -> None:
    """An operator's call; tried until it is answered."""

    async def change() -> None:
        def call(process: Process):  # type: ignore[no-untyped-def]
            assert process.service is not None
            return QueueAdministration(process.service.scheduler.administration).put(queue)  # type: ignore[arg-type]

        while not await world.call(call):
            await world.clock.sleep(1.0)

    world.person(change())


def accept_again(world: FleetWorld) -> None:
    """Queues that drain accept again."""
    for queue in list(world.administration.queues.values()):
        if queue.draining:
            put(world, replace(queue, draining=False))


def abort(world: FleetWorld) -> None:
    """Somebody aborts an action, whatever it is doing."""
    random, checker = world.random, world.checker
    living = [
        (program, name)
        for program in world.programs
        if (run_id := checker.run_ids.get(program.key)) is not None
        for (owner, name), row in checker.rows.items()
        if owner == run_id and not Phase(row.phase).terminal
    ]
    if not living:
        return
    program, name = random.choice(living)
    program.aborted.add(name)
    world.trace(f"somebody aborts {program.key.name}/{name}")

    async def end() -> None:
        def call(process: Process):  # type: ignore[no-untyped-def]
            assert process.service is not None
            return process.service.scheduler.queries.abort(program.key, name, reason="enough")

        while not await world.call(call):
            await world.clock.sleep(1.0)
        row = checker.row(program.key, name)
        checker.expect(row is not None and Phase(row.phase).terminal, f"{name} was aborted, and that is not durable")

    world.person(end())


TROUBLES: Final[tuple[Trouble, ...]] = (
    *(
        kill,
        kill_at_an_effect,
        kill_at_an_effect,
        stop,
        pause,
        pause,
        cut_coordination,
        confuse_coordination,
        set_clock,
    ),
    *(slow_store, ambiguous_commit, api_away, api_slow, api_loses_answers, quota, unschedulable),
    *(lose_pod, delete_pod, cut_pod_off, disown_pod, freeze_pod, lose_streams, lose_streams, hide_process),
    *(reconfigure, reconfigure, abort),
)
