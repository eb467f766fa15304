"""Making the pod of a worker, once: the name decides, whoever asks and how often.

A creation whose answer was lost may have worked. It is simply asked for again: the server says AlreadyExists, the pod
is read, and if it carries this worker's marks it is the one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from flyteplane.cluster.kubernetes.api import KubernetesApi
from flyteplane.cluster.kubernetes.marks import Pod, belongs_to, pods_path
from flyteplane.cluster.kubernetes.rate_limiter import Priority
from flyteplane.cluster.kubernetes.refusals import refused_creation, unavailable
from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.cluster.kubernetes.trouble import ApiFailure, KubernetesTrouble
from flyteplane.cluster.pods.labels import worker_name_of
from flyteplane.cluster.pods.names import pod_name
from flyteplane.cluster.pods.surroundings import PodSurroundings
from flyteplane.cluster.ports import WorkerSpec
from flyteplane.foundation.errors import InvalidArgument, NotFound, Unavailable
from flyteplane.observe import get_logger

_log = get_logger("cluster")

BuildPod: TypeAlias = Callable[[WorkerSpec, PodSurroundings, Mapping[str, Any] | None], dict[str, Any]]
"""Makes the manifest of a worker's pod, given the PodTemplate that it names; pure. Raises InvalidArgument."""

#: How often a pod that disappears between AlreadyExists and its reading is made anew.
_TRIES: Final = 3


class Creation:
    """Creates pods in one cluster.

    Args:
        api: how to ask.
        settings: of the cluster.
        build: makes the manifest.
    """

    def __init__(self, api: KubernetesApi, *, settings: KubernetesSettings, build: BuildPod) -> None:
        self._api = api
        self._settings = settings
        self._build = build

    async def create(self, spec: WorkerSpec) -> Pod:
        """The pod of this worker: made, or there already. Raises as `Cluster.start` does."""
        namespace = self._settings.namespace_for(spec.labels)
        surroundings = self._settings.surroundings(pod_name=pod_name(spec.name), namespace=namespace)
        manifest = self._build(spec, surroundings, await self._template(spec, namespace))
        for _try in range(_TRIES):
            try:
                return await self._post(manifest, namespace)
            except ApiFailure as failure:
                if failure.status != 409 or failure.reason != "AlreadyExists":
                    raise self._refused(failure, namespace) from failure
            except KubernetesTrouble as trouble:
                raise self._refused(trouble, namespace) from trouble
            if (there := await self._read(manifest["metadata"]["name"], namespace)) is not None:
                return self._ours(there, spec.name)
        raise Unavailable(f"the pod of {spec.name} comes and goes", reason="CLUSTER_CONFLICT", retry_after_s=1.0)

    def _refused(self, trouble: KubernetesTrouble, namespace: str) -> Exception:
        return refused_creation(trouble, namespace=namespace, cluster=self._settings.name)

    async def _post(self, manifest: dict[str, Any], namespace: str) -> Pod:
        path = pods_path(namespace)
        try:
            return await self._api.call("POST", path, body=manifest, priority=Priority.CREATE)
        except ApiFailure as failure:
            if failure.status != 404 or not self._settings.create_namespaces:
                raise
        await self._make_namespace(namespace)
        return await self._api.call("POST", path, body=manifest, priority=Priority.CREATE)

    async def _make_namespace(self, namespace: str) -> None:
        labels = {"app.kubernetes.io/managed-by": "flyteplane"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        try:
            await self._api.call("POST", "/api/v1/namespaces", body=body, priority=Priority.CREATE)
            _log.info("namespace_created", cluster=self._settings.name, namespace=namespace)
        except ApiFailure as failure:
            if failure.status != 409:
                raise

    async def _read(self, name: str, namespace: str) -> Pod | None:
        try:
            return await self._api.call("GET", pods_path(namespace, name), priority=Priority.CREATE)
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            raise unavailable(failure) from failure
        except KubernetesTrouble as trouble:
            raise unavailable(trouble) from trouble

    def _ours(self, pod: Pod, worker: str) -> Pod:
        if belongs_to(pod, installation=self._settings.installation) and worker_name_of(pod) == worker:
            return pod
        where = f"{pod['metadata'].get('namespace')}/{pod['metadata']['name']}"
        raise InvalidArgument(
            f"the pod {where} in cluster {self._settings.name} is there already and is not this worker's",
            reason="POD_NAME_TAKEN",
            mend="Delete that pod, or give every installation in the cluster an `installation` of its own.",
        )

    async def _template(self, spec: WorkerSpec, namespace: str) -> dict[str, Any] | None:
        """The PodTemplate that a worker names; None if it names none. Raises NotFound."""
        if spec.pod is None or spec.pod.template is None or not (name := spec.pod.template.name):
            return None
        places = dict.fromkeys(filter(None, (namespace, self._settings.one_namespace)))
        for place in places:
            path = f"/api/v1/namespaces/{place}/podtemplates/{name}"
            try:
                return await self._api.call("GET", path, priority=Priority.CREATE)
            except ApiFailure as failure:
                if failure.status != 404:
                    raise self._refused(failure, namespace) from failure
            except KubernetesTrouble as trouble:
                raise unavailable(trouble) from trouble
        raise NotFound(
            f"cluster {self._settings.name} has no PodTemplate {name} in namespace {' or '.join(places)}",
            reason="POD_TEMPLATE_NOT_FOUND",
            field="pod_template",
            mend="Create it there, or give the template by value.",
        )
