"""Keeps the table of workers and says what becomes of them, by what the informers show.

An exit is told once for each worker: `told` is set before anything is awaited. A pod that is missing has ended only if
a list that began after its creation was acknowledged does not have it, or if the watch says that it was deleted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flyteplane.cluster.kubernetes.api import KubernetesApi
from flyteplane.cluster.kubernetes.containers import seconds_of
from flyteplane.cluster.kubernetes.endings import exit_of_vanished, stopped
from flyteplane.cluster.kubernetes.history import PodHistory
from flyteplane.cluster.kubernetes.inquiries import ask_about, worth_asking
from flyteplane.cluster.kubernetes.marks import Pod, uid_of
from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.cluster.kubernetes.verdicts import Patience, judge
from flyteplane.cluster.kubernetes.worker_pod import WorkerPod, trimmed
from flyteplane.cluster.pods.labels import is_replica
from flyteplane.cluster.ports import ExitReason, WorkerExit, WorkerProgress, WorkerSink
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import get_logger

_log = get_logger("cluster")

#: Warnings and deletions that are remembered of pods that are not known yet.
_REMEMBERED: Final = 2000


class PodKeeper:
    """The workers of one cluster; listens to its pods.

    Args:
        api: how to ask.
        settings: of the cluster.
        clock: time and timers.
        background: for questions that take time.
        remove: begins to remove a worker's pod; with force if it is overdue.
    """

    def __init__(
        self,
        api: KubernetesApi,
        *,
        settings: KubernetesSettings,
        clock: TimerClock,
        background: BackgroundTasks,
        remove: Callable[[WorkerPod, bool], None],
    ) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._background = background
        self._remove = remove
        self._patience = Patience(image_s=settings.image_patience_s, container_s=settings.container_patience_s)
        self._by_uid: dict[str, WorkerPod] = {}
        self._deleted: OrderedDict[str, Pod] = OrderedDict()
        self._warnings: OrderedDict[str, PodHistory] = OrderedDict()
        self.pods: dict[str, Pod] = {}
        """All pods of this owner by name, as last seen, trimmed."""
        self.workers: dict[str, WorkerPod] = {}
        """Workers whose exit was not told yet, by name."""

    def keep(self, name: str, *, pod: Pod, sink: WorkerSink | None) -> WorkerPod:
        """Listens to a worker from now on whose pod the server has just shown."""
        uid = uid_of(pod)
        leaving = self._by_uid.get(uid)
        if leaving is not None and sink is None:
            return leaving
        worker = WorkerPod(name, pod=trimmed(pod), sink=sink, acknowledged=self._clock.monotonic())
        if leaving is not None:
            # Its exit was told already, and is told again to whoever starts it again; its removal goes on.
            worker.gone, worker.removal, worker.grace_s = leaving.gone, leaving.removal, leaving.grace_s
        self._by_uid[uid] = self.workers[name] = worker
        worker.history = self._warnings.pop(uid, worker.history)
        if (last := self._deleted.pop(uid, None)) is not None:
            worker.pod = last
            self.vanished(worker)
            return worker
        newer = self.pods.get(worker.key[1])
        if newer is not None and uid_of(newer) == uid:
            worker.pod = newer
        self.review(worker)
        return worker

    def is_leaving(self, pod: Pod) -> bool:
        """Whether the removal of this pod is under way."""
        worker = self._by_uid.get(uid_of(pod))
        return worker is not None and worker.removal is not None and not worker.removal.done()

    def listen(self, worker: WorkerPod, sink: WorkerSink) -> None:
        """Another sink hears of this worker from now on."""
        worker.sink, worker.progress = sink, None
        self.review(worker)

    def let_go(self, *, replicas: bool) -> None:
        """Nobody here answers any more for any replica, or for any other worker. Removals that have begun go on."""
        known = {*self._by_uid.values(), *self.workers.values()}
        for worker in known:
            if is_replica(worker.pod) is replicas:
                worker.cancel_timer()
                worker.sink = None
                self._by_uid.pop(worker.uid, None)
                self.workers.pop(worker.name, None)

    def listed(self, objects: Sequence[Mapping[str, Any]], *, began: float) -> None:
        """See `Listener`."""
        self.pods = {each["metadata"]["name"]: trimmed(each) for each in objects}
        for worker in list(self._by_uid.values()):
            pod = self.pods.get(worker.key[1])
            if pod is not None and uid_of(pod) == worker.uid:
                worker.pod = pod
                self.review(worker)
            elif worker.acknowledged < began:
                self.vanished(worker)

    def changed(self, seen: Mapping[str, Any]) -> None:
        """See `Listener`."""
        pod = trimmed(seen)
        self.pods[pod["metadata"]["name"]] = pod
        if (worker := self._by_uid.get(uid_of(pod))) is not None:
            worker.pod = pod
            self.review(worker)

    def deleted(self, last: Mapping[str, Any]) -> None:
        """See `Listener`."""
        pod = trimmed(last)
        name, uid = pod["metadata"]["name"], uid_of(pod)
        if (known := self.pods.get(name)) is not None and uid_of(known) == uid:
            del self.pods[name]
        if (worker := self._by_uid.get(uid)) is not None:
            worker.pod = pod
            self.vanished(worker)
        else:
            # Perhaps the answer to its creation is still on its way.
            _remember(self._deleted, uid, pod)

    def warned(self, event: Mapping[str, Any]) -> None:
        """An event of type Warning about some pod."""
        uid = str((event.get("involvedObject") or {}).get("uid") or "")
        now = self._clock.monotonic()
        if (worker := self._by_uid.get(uid)) is not None:
            worker.history = worker.history.warned(event, now=now)
            self.review(worker)
        elif uid:
            _remember(self._warnings, uid, self._warnings.get(uid, PodHistory()).warned(event, now=now))

    def review(self, worker: WorkerPod) -> None:
        """Judges a worker anew and tells what is new."""
        worker.cancel_timer()
        if worker.told:
            return
        verdict = judge(
            worker.pod,
            worker=worker.name,
            history=worker.history,
            patience=self._patience,
            now=self._clock.monotonic(),
        )
        worker.history = verdict.history
        if verdict.exit is not None:
            # A worker that is being stopped has exited when all of its pod is gone.
            if not worker.stopping:
                self._end(worker, verdict.exit)
            return
        if verdict.progress is not None and not worker.stopping:
            self._tell_progress(worker, verdict.progress)
        self._look_again(worker, verdict.look_again_s)

    def _tell_progress(self, worker: WorkerPod, progress: WorkerProgress) -> None:
        if progress != worker.progress and worker.sink is not None:
            worker.progress = progress
            worker.sink.progress(progress)

    def _look_again(self, worker: WorkerPod, after_s: float | None) -> None:
        if (deadline := seconds_of(worker.pod["metadata"].get("deletionTimestamp"))) and not worker.stopping:
            # Its node does not answer. By then its worker, which has no contact, has ended itself.
            fence_s = self._settings.contact_s + self._settings.kill_margin_s
            delay_s = max(0.0, deadline - self._clock.now()) + fence_s
            worker.timer = self._clock.call_later(delay_s, lambda: self._remove(worker, True))
        elif after_s is not None:
            worker.timer = self._clock.call_later(after_s, lambda: self.review(worker))

    def vanished(self, worker: WorkerPod) -> None:
        """The server itself says that a worker's pod is not there."""
        if self._by_uid.get(worker.uid) is worker:
            del self._by_uid[worker.uid]
        worker.cancel_timer()
        worker.gone.set()
        if not worker.told:
            self._end(worker, exit_of_vanished(worker.pod, worker=worker.name))
        elif self.workers.get(worker.name) is not worker:
            worker.done.set()

    def _end(self, worker: WorkerPod, ended: WorkerExit) -> None:
        worker.told = True
        if worker.stopping:
            ended = stopped(ended, worker.pod)
        if worker.sink is not None and worth_asking(ended) and ended.reason is not ExitReason.STOPPED:
            self._background.start(self._ask_and_tell(worker, ended), name="ask-about-exit")
        else:
            self._tell(worker, ended)

    async def _ask_and_tell(self, worker: WorkerPod, ended: WorkerExit) -> None:
        lines = self._settings.log_lines
        self._tell(worker, await ask_about(self._api, ended, pod=worker.pod, log_lines=lines))

    def _tell(self, worker: WorkerPod, ended: WorkerExit) -> None:
        if self.workers.get(worker.name) is worker:
            del self.workers[worker.name]
        # Its first line only: what the task wrote may follow.
        what = ended.message.partition("\n")[0]
        _log.info("worker_exited", worker=worker.name, reason=str(ended.reason), problem=what)
        try:
            if worker.sink is not None:
                worker.sink.exited(ended)
        finally:
            if worker.gone.is_set():
                worker.done.set()
            else:
                self._remove(worker, False)


class Warnings:
    """Listens to events of type Warning."""

    def __init__(self, keeper: PodKeeper) -> None:
        self._keeper = keeper

    def listed(self, objects: Sequence[Mapping[str, Any]], *, began: float) -> None:
        """See `Listener`."""
        for event in objects:
            self._keeper.warned(event)

    def changed(self, seen: Mapping[str, Any]) -> None:
        """See `Listener`."""
        self._keeper.warned(seen)

    def deleted(self, last: Mapping[str, Any]) -> None:
        """An event that is too old to be kept says nothing new."""


def _remember(book: OrderedDict[str, Any], uid: str, value: object) -> None:
    book[uid] = value
    book.move_to_end(uid)
    while len(book) > _REMEMBERED:
        book.popitem(last=False)
