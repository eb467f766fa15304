"""A pod template, read: by value from the task, by name from the cluster, or none at all.

What comes out is well formed (the shape of a pod, no name twice, nothing mounted that is not declared, every quantity a
quantity) and a copy of its own, without nulls. Whether the platform lets it do what it says is decided in `security`.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flyte.spec.pod_template import PRIMARY_CONTAINER_DEFAULT_NAME
from flyte.spec.quantities import parse_quantity
from flyteplane.cluster.pods.names import is_dns_label
from flyteplane.cluster.pods.pod_shape import TEMPLATE_SHAPE
from flyteplane.cluster.pods.refusals import TEMPLATE, refusal
from flyteplane.foundation.errors import NotFound

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import PodTemplate

MAX_TEMPLATE_BYTES: Final = 256 * 1024
"""The longest template as JSON; a pod has to fit into one request to the cluster's own store."""

MAX_DEPTH: Final = 40
"""How deep lists and objects may lie in each other; a pod of Kubernetes needs about 12."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The base of a pod."""

    labels: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    primary: str = PRIMARY_CONTAINER_DEFAULT_NAME
    by_value: bool = False
    """Written by the user, not kept in the cluster by its operator."""


def read_template(request: PodTemplate | None, *, named: Mapping[str, Any] | None) -> Template:
    """The template that a worker asks for. `named` is the object of that name as the cluster gives it.

    Raises:
        InvalidArgument: it is no template of a pod.
        NotFound: it is asked for by name and `named` is None.
    """
    if request is None or not (request.name or request.pod_template_json):
        return Template(primary=_primary_name(request.primary_container if request is not None else ""))
    if request.name and request.pod_template_json:
        raise refusal("pod_template is given by name and by value", field=TEMPLATE, mend="Give one of them.")
    if not request.name:
        return _checked(_parse(request.pod_template_json), primary=request.primary_container, by_value=True)
    if named is None:
        raise NotFound(
            f"the cluster has no pod template {request.name!r}",
            reason="POD_TEMPLATE_NOT_FOUND",
            field=TEMPLATE,
            mend="Create it (kind PodTemplate) in the namespace of the pods, or name another one.",
        )
    return _checked(_stored(named), primary=request.primary_container, by_value=False)


def each_container(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The path and the value of every container and init container."""
    for kind in ("initContainers", "containers"):
        for position, container in enumerate(spec.get(kind, ())):
            yield f"{TEMPLATE}.spec.{kind}[{position}]", container


def _parse(document: str) -> Any:
    if len(document.encode()) > MAX_TEMPLATE_BYTES:
        raise refusal(
            f"pod_template has {len(document.encode())} bytes",
            field=TEMPLATE,
            limit=f"{MAX_TEMPLATE_BYTES} bytes",
            mend="Keep files in a config map or in the code bundle.",
        )
    try:
        return _plain(json.loads(document, parse_constant=_no_constant), depth=0)
    except (ValueError, RecursionError) as error:
        raise refusal(f"pod_template is no JSON: {error}", field=TEMPLATE, mend="Send a PodTemplateSpec.") from error


def _stored(named: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a stored PodTemplate that make pods; what the API server wrote beside them is not meant for pods."""
    stored = _plain(named.get("template"), depth=0)
    body: Mapping[str, Any] = stored if isinstance(stored, Mapping) else {}
    metadata = body.get("metadata")
    kept = metadata if isinstance(metadata, Mapping) else {}
    return {
        "metadata": {key: kept[key] for key in ("labels", "annotations") if key in kept},
        "spec": body.get("spec", {}),
    }


def _checked(body: Any, *, primary: str, by_value: bool) -> Template:
    TEMPLATE_SHAPE(body, TEMPLATE)
    metadata, spec = body.get("metadata", {}), body.get("spec", {})
    names = [container["name"] for container in spec.get("containers", ())]
    name = _primary_name(primary, names)
    if by_value and names and name not in names:
        raise refusal(
            f"pod_template has no container named {name!r}, only {', '.join(names)}",
            field=f"{TEMPLATE}.primary_container_name",
            mend="Name the task's container with primary_container_name=.",
        )
    _refuse_repeated(spec, primary=name)
    for path, container in each_container(spec):
        _check_container(container, path=path, volumes={volume["name"] for volume in spec.get("volumes", ())})
        if container["name"] != name and not container.get("image"):
            raise refusal(
                f"{path} has no image", field=f"{path}.image", mend="Only the task's container may have none."
            )
    return Template(
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
        spec=spec,
        primary=name,
        by_value=by_value,
    )


def _primary_name(given: str, names: Sequence[str] = ()) -> str:
    """The container that was named; else the only one there is; else the usual name."""
    if given and not is_dns_label(given):
        raise refusal(
            f"primary_container_name {given!r} is no name of a container",
            field=f"{TEMPLATE}.primary_container_name",
            limit="63 characters",
            mend="Use lower-case letters, digits and '-'.",
        )
    if given:
        return given
    return names[0] if len(names) == 1 else PRIMARY_CONTAINER_DEFAULT_NAME


def _refuse_repeated(spec: Mapping[str, Any], *, primary: str) -> None:
    containers = [container["name"] for _, container in each_container(spec)]
    if all(container["name"] != primary for container in spec.get("containers", ())):
        # It is added, and must not clash with an init container.
        containers.append(primary)
    volumes = [volume["name"] for volume in spec.get("volumes", ())]
    for kind, names in (("containers", containers), ("volumes", volumes)):
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise refusal(
                f"pod_template has several {kind} named {', '.join(repeated)}",
                field=f"{TEMPLATE}.spec.{kind}",
                mend="Give each a name of its own; init containers share their names with the others.",
            )


def _check_container(container: Mapping[str, Any], *, path: str, volumes: set[str]) -> None:
    for kind in ("volumeMounts", "volumeDevices"):
        for position, mount in enumerate(container.get(kind, ())):
            if mount["name"] not in volumes:
                raise refusal(
                    f"{path} mounts the volume {mount['name']!r}, which the template does not declare",
                    field=f"{path}.{kind}[{position}].name",
                    mend="Add it to the volumes of the pod spec.",
                )
    paths = [posixpath.normpath(mount["mountPath"]) for mount in container.get("volumeMounts", ())]
    if len(set(paths)) < len(paths):
        raise refusal(
            f"{path} mounts two volumes in one place",
            field=f"{path}.volumeMounts",
            mend="Give each mount a mountPath of its own.",
        )
    for variable in container.get("env", ()):
        if "value" in variable and "valueFrom" in variable:
            raise refusal(
                f"{path}: {variable['name']} has a value and a valueFrom",
                field=f"{path}.env",
                mend="Give one of them.",
            )
    _check_resources(container.get("resources", {}), path=f"{path}.resources")


def _check_resources(resources: Mapping[str, Any], *, path: str) -> None:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for name in requests.keys() & limits.keys():
        least, most = (parse_quantity(part[name], field=path) for part in (requests, limits))
        if least > most:
            raise refusal(
                f"{path}: the request of {name}, {requests[name]}, is above its limit, {limits[name]}",
                field=f"{path}.requests[{name}]",
                limit=str(limits[name]),
                mend="Raise the limit or lower the request.",
            )
    for name in sorted(limits.keys() | requests.keys()):
        if "/" in name and limits.get(name, requests.get(name)) != requests.get(name, limits.get(name)):
            raise refusal(
                f"{path}: {name} cannot be shared, so its request has to be its limit",
                field=f"{path}.limits[{name}]",
                mend="Give the limit only.",
            )


def _plain(value: Any, *, depth: int) -> Any:
    """A copy without nulls, which Kubernetes takes for fields that are not there."""
    if depth > MAX_DEPTH:
        raise refusal(
            "pod_template is nested too deeply",
            field=TEMPLATE,
            limit=f"{MAX_DEPTH} levels",
            mend="Send a PodTemplateSpec.",
        )
    if isinstance(value, Mapping):
        return {str(key): _plain(element, depth=depth + 1) for key, element in value.items() if element is not None}
    if isinstance(value, list | tuple):
        return [_plain(element, depth=depth + 1) for element in value]
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
