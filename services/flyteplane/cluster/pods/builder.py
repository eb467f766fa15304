"""The pod of a worker, as a pure function: the template is the base, the platform's part is put over it.

The primary container gets the image, the command, the resources and the platform's variables; labels, annotations, node
selection, service account and the safety of every container are the platform's business as well. Everything else of
the template stays as it is: sidecars, init containers, volumes, affinity, probes. The same arguments give the same pod,
and no argument is changed.

Nothing in the pod is secret but the worker's token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flyteplane.cluster.pods.accelerators import Devices, devices_of
from flyteplane.cluster.pods.container_security import hardened
from flyteplane.cluster.pods.environment import primary_environment
from flyteplane.cluster.pods.labels import (
    default_annotations,
    refuse_annotations,
    refuse_labels,
    worker_annotations,
    worker_labels,
)
from flyteplane.cluster.pods.placement import with_placement
from flyteplane.cluster.pods.refusals import TEMPLATE, refusal
from flyteplane.cluster.pods.resources import primary_resources, refuse_resources
from flyteplane.cluster.pods.security import refuse_forbidden, refuse_profile_annotations, refuse_service_account
from flyteplane.cluster.pods.storage import refuse_storage, with_storage
from flyteplane.cluster.pods.surroundings import DEFAULT_GRACE_S, PodSurroundings
from flyteplane.cluster.pods.template import Template, read_template
from flyteplane.cluster.ports import PodRequest, WorkerSpec

COMMAND: Final = ("python", "-c", "import os; from flyte.runner.pod.__main__ import main; os._exit(main())")
"""What the primary container runs, as `python -m flyte.runner.pod` does; the image brings the Python. `-m` would load a
dozen modules of its own before the first one of the agent, and take some 4 ms for it."""


def build_pod(
    spec: WorkerSpec, *, surroundings: PodSurroundings, named_template: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body of the V1Pod of a worker.

    Args:
        spec: the worker; `spec.pod` has to be set.
        surroundings: where it is placed.
        named_template: the PodTemplate object, as the API server gives it, that `spec.pod.template` names.

    Raises:
        InvalidArgument: the template is none, may not do what it says, or contradicts task or resource class.
        NotFound: a template is named and `named_template` is None.
    """
    request = spec.pod
    if request is None:
        raise refusal(f"the worker {spec.name} asks for no pod", field="pod", mend="Set WorkerSpec.pod.")
    template = read_template(request.template, named=named_template)
    _refuse(template, request, surroundings)
    devices = devices_of(request.resources.accelerator, surroundings.devices)
    body = with_placement(
        template.spec,
        request.constraints,
        devices=devices,
        interruptible=request.interruptible,
        surroundings=surroundings,
    )
    primary = _primary(template, spec, request, devices=devices, surroundings=surroundings)
    body, primary = with_storage(
        body, primary, shared_memory=request.resources.shared_memory, secret_files=request.secret_files
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(template, spec, request, surroundings),
        "spec": _pod_spec(_with_primary(body, primary), request, surroundings),
    }


def _refuse(template: Template, request: PodRequest, surroundings: PodSurroundings) -> None:
    constraints = request.constraints
    refuse_labels(template.labels, field=f"{TEMPLATE}.metadata.labels")
    refuse_annotations(template.annotations, field=f"{TEMPLATE}.metadata.annotations")
    refuse_labels(request.labels, field="labels")
    refuse_annotations(request.annotations, field="annotations")
    refuse_profile_annotations(request.annotations, constraints, field="annotations")
    refuse_forbidden(
        template,
        constraints,
        shared_namespace=surroundings.shared_namespace,
        require_non_root=surroundings.require_non_root,
    )
    refuse_service_account(request.service_account, constraints, field="service_account")
    refuse_resources(request.resources)
    refuse_storage(template, shared_memory=request.resources.shared_memory)


def _metadata(
    template: Template, spec: WorkerSpec, request: PodRequest, surroundings: PodSurroundings
) -> dict[str, Any]:
    return {
        "name": surroundings.pod_name,
        "namespace": surroundings.namespace,
        # Users cannot set the keys that the platform selects by; of Kubernetes' usual ones their word stands.
        "labels": {**worker_labels(spec, surroundings.installation), **template.labels, **request.labels},
        "annotations": {
            **default_annotations(interruptible=request.interruptible),
            **template.annotations,
            **request.annotations,
            **worker_annotations(spec, primary=template.primary),
        },
    }


def _primary(
    template: Template, spec: WorkerSpec, request: PodRequest, *, devices: Devices, surroundings: PodSurroundings
) -> dict[str, Any]:
    """The task's container: of the template's, what the platform does not set itself."""
    containers = template.spec.get("containers", ())
    base: Mapping[str, Any] = next((container for container in containers if container["name"] == template.primary), {})
    image = request.image.uri or base.get("image") or surroundings.default_image
    # The API server writes a policy into every template that it stores, and it belongs to the image that it replaces.
    own_policy = "" if image != base.get("image") and not template.by_value else base.get("imagePullPolicy", "")
    dropped = ("args", "imagePullPolicy")
    primary = {
        **{key: value for key, value in base.items() if key not in dropped},
        "name": template.primary,
        "image": image,
        "command": list(COMMAND),
        "env": primary_environment(base.get("env", ()), spec, surroundings=surroundings),
        "resources": primary_resources(
            request.resources,
            template=base.get("resources", {}),
            devices=devices.amounts,
            policy=surroundings.limits,
            defaults=surroundings.default_requests,
        ),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    policy = surroundings.image_pull_policy or own_policy
    return {**primary, "imagePullPolicy": policy} if policy else primary


def _with_primary(spec: Mapping[str, Any], primary: Mapping[str, Any]) -> dict[str, Any]:
    containers = list(spec.get("containers", ()))
    names = [container["name"] for container in containers]
    if primary["name"] in names:
        containers[names.index(primary["name"])] = primary
    else:
        containers.insert(0, primary)
    return {**spec, "containers": containers}


def _pod_spec(spec: Mapping[str, Any], request: PodRequest, surroundings: PodSurroundings) -> dict[str, Any]:
    """What holds for the pod as a whole."""
    defaults = {"enableServiceLinks": False, "terminationGracePeriodSeconds": DEFAULT_GRACE_S}
    of_pod = spec.get("securityContext", {})
    own_profile = "seccompProfile" in of_pod
    containers = {
        kind: [hardened(container, request.constraints, pod_has_profile=own_profile) for container in spec[kind]]
        for kind in ("initContainers", "containers")
        if spec.get(kind)
    }
    kept = {key: value for key, value in spec.items() if key not in ("serviceAccount", "serviceAccountName")}
    return {
        **defaults,
        **kept,
        **containers,
        **_identity(spec, request),
        **_pull_secrets(spec, surroundings),
        "restartPolicy": "Never",
        "securityContext": {**of_pod, "runAsNonRoot": True} if surroundings.require_non_root else dict(of_pod),
    }


def _identity(spec: Mapping[str, Any], request: PodRequest) -> dict[str, Any]:
    """Service account and token. A class that allows a token gives it to those who name an account or ask for it."""
    in_template = spec.get("serviceAccountName") or spec.get("serviceAccount") or ""
    account = request.service_account or in_template
    if in_template not in ("", account):
        raise refusal(
            f"the task names the service account {account!r} and its pod template {in_template!r}",
            field="service_account",
            mend="Leave out one of them.",
        )
    allowed = request.constraints.allow_service_account_token
    token = allowed and bool(spec.get("automountServiceAccountToken", bool(account)))
    named = {"serviceAccountName": account} if account else {}
    return {**named, "automountServiceAccountToken": token}


def _pull_secrets(spec: Mapping[str, Any], surroundings: PodSurroundings) -> dict[str, Any]:
    names = [secret["name"] for secret in spec.get("imagePullSecrets", ())]
    merged = dict.fromkeys((*names, *surroundings.image_pull_secrets))
    return {"imagePullSecrets": [{"name": name} for name in merged]} if merged else {}
