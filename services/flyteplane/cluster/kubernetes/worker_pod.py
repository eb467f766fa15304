"""One worker as this process knows it, and how little is kept of its pod."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from flyteplane.cluster.kubernetes.history import PodHistory
from flyteplane.cluster.kubernetes.marks import Pod, PodKey, key_of, uid_of
from flyteplane.cluster.pods.labels import COMPONENT_LABEL, INSTALLATION_LABEL, PRIMARY_ANNOTATION, WORKER_LABEL
from flyteplane.cluster.ports import WorkerProgress, WorkerSink
from flyteplane.foundation.clock import Timer

_METADATA: Final = ("namespace", "name", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")
_LABELS: Final = (INSTALLATION_LABEL, COMPONENT_LABEL)
_ANNOTATIONS: Final = (WORKER_LABEL, PRIMARY_ANNOTATION)


class WorkerPod:
    """A worker whose pod is there. `told` and `gone` never go back.

    Args:
        name: of the worker.
        pod: as the server showed it.
        sink: who listens; None: nobody, it is only to be removed.
        acknowledged: monotonic moment at which the pod was surely there.
    """

    __slots__ = (
        "acknowledged",
        "done",
        "gone",
        "grace_s",
        "history",
        "key",
        "name",
        "pod",
        "progress",
        "removal",
        "sink",
        "stopping",
        "timer",
        "told",
        "uid",
    )

    def __init__(self, name: str, *, pod: Pod, sink: WorkerSink | None, acknowledged: float) -> None:
        self.name = name
        self.pod = pod
        self.sink = sink
        self.acknowledged = acknowledged
        self.key: PodKey = key_of(pod)
        self.uid = uid_of(pod)
        self.history = PodHistory()
        self.progress: WorkerProgress | None = None
        self.stopping = False
        self.told = False
        """Its exit was told, or is about to be."""
        self.gone = asyncio.Event()
        """Its pod is gone."""
        self.done = asyncio.Event()
        """Its pod is gone and its exit was told."""
        self.removal: asyncio.Task[None] | None = None
        self.grace_s: float | None = None
        """Of that removal; None: what the pod itself says."""
        self.timer: Timer | None = None

    def cancel_timer(self) -> None:
        """Nothing is to be looked at again."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def trimmed(pod: Mapping[str, Any]) -> dict[str, Any]:
    """What judgements need of a pod: a tenth of it, as ten thousand of them are kept."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    kept: dict[str, Any] = {key: metadata[key] for key in _METADATA if key in metadata}
    kept["labels"] = {key: labels[key] for key in _LABELS if key in labels}
    kept["annotations"] = {key: annotations[key] for key in _ANNOTATIONS if key in annotations}
    return {
        "metadata": kept,
        "spec": {
            "nodeName": spec.get("nodeName", ""),
            "containers": [{"name": container["name"]} for container in spec.get("containers") or ()],
        },
        "status": pod.get("status") or {},
    }
