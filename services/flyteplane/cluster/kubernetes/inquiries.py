"""Questions about a worker that has ended, to the cluster: who deleted its pod, and what did it print last.

All of it is best effort and bounded in time: an exit that is told late is worse than one that is told with less.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

from flyteplane.cluster.kubernetes.api import KubernetesApi
from flyteplane.cluster.kubernetes.containers import Role, containers_of, node_of
from flyteplane.cluster.kubernetes.endings import explained
from flyteplane.cluster.kubernetes.marks import Pod, key_of, pods_path, primary_of, uid_of
from flyteplane.cluster.kubernetes.trouble import ApiFailure, KubernetesTrouble, bounded
from flyteplane.cluster.ports import ExitReason, WorkerExit
from flyteplane.observe import get_logger

_log = get_logger("cluster")

#: An end is told after so long even if nothing more is known of it: its task may be waiting to be retried.
_PATIENCE_S: Final = 3.0
#: Read of the last output, of which the end is quoted.
_LOG_BYTES: Final = 65536
#: Characters.
_QUOTED: Final = 1500
#: Ends whose container has said something that helps.
_WITH_LOG: Final = frozenset({ExitReason.ENDED, ExitReason.OUT_OF_MEMORY, ExitReason.SIDECAR_FAILED})


def worth_asking(ended: WorkerExit) -> bool:
    """Whether the cluster may know more about this end."""
    failed = bool(ended.exit_code or ended.signal or ended.out_of_memory) or ended.reason is ExitReason.SIDECAR_FAILED
    return ended.reason is ExitReason.POD_DELETED or (failed and ended.reason in _WITH_LOG)


async def ask_about(api: KubernetesApi, ended: WorkerExit, *, pod: Pod, log_lines: int) -> WorkerExit:
    """The same end with what the cluster says about it; as it was if there is no answer in time."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            if ended.reason is ExitReason.POD_DELETED:
                return await _who_deleted(api, ended, pod=pod)
            return await _last_words(api, ended, pod=pod, lines=log_lines)
    except (KubernetesTrouble, TimeoutError) as error:
        _log.info("end_of_worker_not_explained", worker=ended.name, problem=str(error))
        return ended


async def _who_deleted(api: KubernetesApi, ended: WorkerExit, *, pod: Pod) -> WorkerExit:
    namespace, _ = key_of(pod)
    selector = {"fieldSelector": f"involvedObject.uid={uid_of(pod)}"}
    try:
        events = (await api.call("GET", f"/api/v1/namespaces/{namespace}/events", parameters=selector))["items"]
    except ApiFailure:
        events = []
    return explained(ended, pod=pod, events=events or [], node=await _node(api, node_of(pod)))


async def _node(api: KubernetesApi, name: str) -> dict[str, Any] | None:
    if not name:
        return None
    try:
        return await api.call("GET", f"/api/v1/nodes/{name}")
    except ApiFailure as failure:
        return {} if failure.status == 404 else None


async def _last_words(api: KubernetesApi, ended: WorkerExit, *, pod: Pod, lines: int) -> WorkerExit:
    namespace, name = key_of(pod)
    container = primary_of(pod)
    if any(each.name == container and each.terminated and each.terminated.message for each in containers_of(pod)):
        # The kubelet has put the last of the log there.
        return ended
    if ended.reason is ExitReason.SIDECAR_FAILED:
        failed = (each for each in containers_of(pod) if each.role is not Role.PRIMARY and each.terminated is not None)
        container = next((each.name for each in failed if each.terminated and each.terminated.failed), container)
    parameters = {"container": container, "tailLines": str(lines), "limitBytes": str(_LOG_BYTES)}
    try:
        content = await api.read("GET", pods_path(namespace, name, "log"), parameters=parameters)
    except ApiFailure:
        return ended
    text = content.decode(errors="replace").strip()[-_QUOTED:]
    if not text:
        return ended
    return replace(ended, message=bounded(f"{ended.message}\nIts last output:\n{text}", 2 * _QUOTED))
