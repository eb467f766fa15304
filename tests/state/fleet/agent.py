"""The agent of a simulated pod: its conversation with whoever leads, and the end that it makes of itself.

It keeps what a real agent keeps: the real outbox, the real reckoning of contact, Hello with what it runs, heartbeats,
and silence as a reason to try the next scheduler. Its task is an `Actor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.state.fleet.actor import Actor
from tests.state.fleet.life import Life, LifeClock
from tests.state.fleet.network import Stream

from flyte.runner.contact import Contact
from flyte.runner.pod.outbox import Outbox
from flyte.spec import worker_exits
from flyteapi.scheduler.v1.worker_service_pb2 import Heartbeat, Hello, WorkerOrder, WorkerReport
from flyteplane.cluster.ports import ExitReason
from flyteplane.foundation.errors import FailedPrecondition, PlatformError, Unauthenticated

if TYPE_CHECKING:
    from tests.state.fleet.pods import Pod
    from tests.state.fleet.world import FleetWorld

#: A pod that no scheduler has spoken to by then gives up.
FIRST_CONTACT_S: Final = 600.0
_KILLED: Final = 9


class Agent:
    """The first process of a pod.

    Args:
        contact_s: how long it goes on without an answer.
    """

    def __init__(self, world: FleetWorld, pod: Pod, *, contact_s: float) -> None:
        self.world = world
        self.pod = pod
        self.life = Life()
        self.clock = LifeClock(world.clock, self.life)
        self.contact = Contact(contact_s, now=world.clock.monotonic)
        self.outbox = Outbox()
        self.cut_off = False
        """Nothing reaches it, and nothing that it says arrives."""
        self.disowned = False
        """Its cluster has given it up for lost, and is wrong: so long as it is not told, it works on."""
        self.lease = 0
        self.actor: Actor | None = None
        self.stopping = False
        self.stopped_by_scheduler = False
        """It was told that its attempt is over, or to end."""
        self._heartbeat_s = contact_s / 6
        self._silence_s = contact_s / 3
        self._stream: Stream | None = None
        self._connected = False
        self._endpoint = world.random.randrange(8)
        self._sequence = 0
        self._unanswered: dict[int, float] = {}
        self._end_told = False
        pod.terminate = self.terminate
        self.clock.call_later(0.01, self._connect)
        self.clock.call_later(FIRST_CONTACT_S, self._give_up)
        self.clock.call_later(self._heartbeat_s, self._beat_again)

    # --- what others may know ---------------------------------------------------------------------------------------

    @property
    def may_work(self) -> bool:
        """Whether user code may still do something here."""
        over = self.actor is None or self.actor.over
        return not over and not self.life.dead and not self.contact.lapsed

    @property
    def label(self) -> str:
        """Its pod."""
        return self.pod.name

    # --- streams ----------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        if self._lapsed():
            return
        processes = self.world.processes
        self._endpoint += 1
        server = processes[self._endpoint % len(processes)]
        world = self.world
        self._stream = Stream(self, server, clock=world.clock, random=world.random, life=self.life)
        world.streams.append(self._stream)
        if self.cut_off or server.life.dead or server.unreachable:
            self._stream.lose(at_once=False)
        self._connected = False
        self._unanswered.clear()
        self._sequence += 1
        self._hello_at = self.contact.now()
        running = [self.lease] if self.lease else []
        self._stream.open(Hello(token=self.pod.spec.token, protocol=1, running=running))
        self.outbox.rewind()
        self._beat()
        self.flush()

    def _give_stream_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.leave()
            if stream in self.world.streams:
                self.world.streams.remove(stream)
        self._connected = False
        self.clock.call_later(self.world.random.choice([0.05, 0.3, 1.0]), self._connect_unless_connected)

    def _connect_unless_connected(self) -> None:
        if self._stream is None and not self.life.dead:
            self._connect()

    def flush(self) -> None:
        """Writes what waits."""
        if self._stream is not None and not self._lapsed():
            while self.outbox.has_unwritten:
                self._stream.write(self.outbox.take())

    def _beat_again(self) -> None:
        self.clock.call_later(self._heartbeat_s, self._beat_again)
        if self._lapsed() or self._stream is None:
            return
        if self._unanswered and self.contact.now() - min(self._unanswered.values()) > self._silence_s:
            self._give_stream_up()
        else:
            self._beat()

    def _beat(self) -> None:
        if self._stream is None:
            return
        self._sequence += 1
        self._unanswered[self._sequence] = self.contact.now()
        self.outbox.mark(self._sequence)
        self._stream.write([WorkerReport(heartbeat=Heartbeat(sequence=self._sequence))])

    def heard(self, stream: Stream, orders: Sequence[WorkerOrder]) -> None:
        """See `Listener`."""
        if stream is not self._stream or self._lapsed():
            return
        if not self._connected:
            self._connected = True
            if not self.contact.begun:
                self.contact.answered(self._hello_at)
                self._watch_contact()
        for order in orders:
            self._told(order)

    def ended(self, stream: Stream, error: PlatformError | None) -> None:
        """See `Listener`."""
        if stream is not self._stream:
            return
        if isinstance(error, FailedPrecondition | Unauthenticated):
            self.world.trace(f"pod {self.label} is refused: {error.reason}")
            self.stopped_by_scheduler = True
            self.leave(code=worker_exits.ATTEMPT_OVER)
        else:
            self._give_stream_up()

    # --- orders -----------------------------------------------------------------------------------------------------

    def _told(self, order: WorkerOrder) -> None:
        kind = order.WhichOneof("order")
        if kind == "heartbeat_answer":
            self._answered(order.heartbeat_answer.sequence)
        elif kind == "assign":
            self._begin(order)
        elif kind == "end_accepted":
            if self._end_told and order.lease == self.lease:
                self.leave()
        elif kind == "result":
            self.outbox.answered(order.lease, order.result.call)
            if self.actor is not None:
                self.actor.told(order.result)
        elif kind == "cancel" or (kind == "lease_revoked" and order.lease == self.lease):
            self.stopped_by_scheduler = True
            # Some hang, and end only with their container.
            self._stop_within(self.world.random.choice([0.0, 0.5, 3.0, 1000.0]), ExitReason.ENDED)

    def _answered(self, sequence: int) -> None:
        sent_at = self._unanswered.get(sequence)
        if sent_at is not None:
            self.contact.answered(sent_at)
            self._unanswered = {number: at for number, at in self._unanswered.items() if number > sequence}
            self.outbox.acknowledge(sequence)

    def _begin(self, order: WorkerOrder) -> None:
        if self.lease:
            return
        self.lease = order.lease
        self.world.judge.begins(self)
        self.actor = Actor(self.world, self, order.assign)
        if self.stopping:
            self.actor.over = True

    # --- what the task does -----------------------------------------------------------------------------------------

    def say(self, **report: Any) -> None:
        """The task, or its end, is reported."""
        if self.life.dead or self._lapsed():
            return
        message = WorkerReport(lease=self.lease, **report)
        if "ended" in report:
            self._end_told = True
            self.outbox.end(message)
        else:
            self.outbox.add(message)
        self.flush()

    def exit(self, *, code: int = 0, signal: int = 0) -> None:
        """The task's process ends without a word: the agent tells how, or is killed with it."""
        if signal and self.world.random.random() < 0.5:
            self.kill(ExitReason.ENDED, signal=signal)
        elif signal:
            killed = {"kind": 2, "code": "WORKER_KILLED", "message": "killed", "recoverable": True, "signal": signal}
            self.say(ended={"error": killed})
        else:
            error = {"kind": 1, "code": "WORKER_EXITED", "message": "exited", "recoverable": True, "exit_code": code}
            self.say(ended={"error": error})

    # --- ends -------------------------------------------------------------------------------------------------------

    def terminate(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after the grace period. A node that is cut off does not hear of it."""
        if self.cut_off:
            return
        self._stop_within(min(grace_s, self.world.random.choice([0.0, 1.0, 100.0])), ExitReason.STOPPED)
        self.world.clock.call_later(grace_s, lambda: self.kill(ExitReason.STOPPED, signal=_KILLED))

    def _stop_within(self, seconds: float, reason: ExitReason) -> None:
        self.stopping = True
        if not self._end_told and self.actor is not None:
            self.actor.over = True
        self.clock.call_later(seconds, partial(self.leave, reason=reason))

    def leave(self, *, code: int = 0, reason: ExitReason = ExitReason.ENDED) -> None:
        """The agent exits, and its container with it."""
        self._end(code=code, signal=0, reason=reason)

    def kill(self, reason: ExitReason, *, signal: int = 0) -> None:
        """The container is killed."""
        self._end(code=0, signal=signal, reason=reason)

    def _end(self, *, code: int, signal: int, reason: ExitReason) -> None:
        if self.life.dead:
            return
        self.life.die()
        if self._stream is not None:
            self._stream.leave()
            if self._stream in self.world.streams:
                self.world.streams.remove(self._stream)
        self.world.agents.pop(self.pod, None)
        self.world.prod.ended(self.pod, code=code, signal=signal, reason=reason)

    def _watch_contact(self) -> None:
        if not self._lapsed():
            self.clock.call_later(max(self.contact.left_s, 0.0) + 1e-6, self._watch_contact)

    def _lapsed(self) -> bool:
        """Looked at before anything is done: out of contact, it ends itself."""
        if self.contact.lapsed and not self.life.dead:
            self.world.trace(f"pod {self.label} is out of contact")
            self.leave(code=worker_exits.OUT_OF_CONTACT)
        return self.contact.lapsed

    def _give_up(self) -> None:
        if not self.contact.begun:
            self.leave(code=worker_exits.OUT_OF_CONTACT)
