"""The pod that a task's container runs in, as far as the user describes it.

A template is a name known to the cluster, a `PodTemplate`, or a `V1PodTemplate` of the Kubernetes client. The client is
an optional dependency of the user's program and is never imported from here: its models are recognised by their shape
and turned into the plain manifest that travels to the platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeAlias

from flyte.spec import pod_privileges
from flyte.spec.names import NameKind, check_name
from flyte.spec.pod_metadata import check_pod_annotations, check_pod_labels
from flyte.spec.problems import InvalidSetting, InvalidSettingType

V1PodSpec: TypeAlias = Any
"""`kubernetes.client.V1PodSpec`, which type checkers only know where the client is installed."""

V1PodTemplate: TypeAlias = Any
"""`kubernetes.client.V1PodTemplate`."""

PRIMARY_CONTAINER_DEFAULT_NAME: Final = "primary"
"""The container that gets the task's image, command, resources and environment unless the template names another."""


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """A pod to run a task in.

    - `pod_spec`: a `V1PodSpec`, or the same as a plain mapping with the field names of a manifest.
    - `primary_container_name`: which container is the task's.
    - `labels`, `annotations`: added to the pod.
    """

    pod_spec: V1PodSpec | Mapping[str, Any] | None = None
    primary_container_name: str = PRIMARY_CONTAINER_DEFAULT_NAME
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

    def __post_init__(self) -> None:
        name, field = self.primary_container_name, "pod_template.primary_container_name"
        if not isinstance(name, str):
            raise InvalidSettingType(
                f"Expected primary_container_name to be of type str, got {type(name)}", field=field
            )
        if not name:
            raise InvalidSetting("primary_container_name is empty: name the task's container.", field=field)

    @classmethod
    def from_spec(
        cls,
        pod_spec: V1PodSpec | Mapping[str, Any],
        *,
        primary_container_name: str | None = None,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> PodTemplate:
        """Make a template of a pod spec."""
        name = primary_container_name or PRIMARY_CONTAINER_DEFAULT_NAME
        return cls(pod_spec, primary_container_name=name, labels=labels, annotations=annotations)

    @classmethod
    def from_kubernetes(cls, template: V1PodTemplate | Mapping[str, Any]) -> PodTemplate:
        """Make a template of a `V1PodTemplate`; its only container, or the one named "primary", is the task's."""
        manifest = as_manifest(template)
        body = manifest.get("template", manifest)
        metadata = body.get("metadata", {})
        spec = body.get("spec", {})
        return cls(
            spec,
            primary_container_name=_primary_of(spec),
            labels=metadata.get("labels"),
            annotations=metadata.get("annotations"),
        )

    def with_termination_grace_period(self, termination_grace_period: int | timedelta) -> PodTemplate:
        """Return a copy whose pod gets so many seconds, or such a time, to end by itself."""
        given = termination_grace_period
        seconds = given.total_seconds() if isinstance(given, timedelta) else given
        return self._with_spec({**self.spec_manifest(), "terminationGracePeriodSeconds": int(seconds)})

    def allow_fuse(self, privileged: bool = False) -> PodTemplate:
        """Return a copy whose primary container may mount file systems with FUSE.

        It asks for `/dev/fuse` and SYS_ADMIN, or with `privileged` for all privileges. The platform refuses the pod
        unless the operator's resource class allows host paths and privileged mode.
        """
        name = self.primary_container_name
        return self._with_spec(pod_privileges.with_fuse(self.spec_manifest(), container=name, privileged=privileged))

    def allow_nested_sandboxing(self) -> PodTemplate:
        """Return a copy whose primary container may make sandboxes of its own, with user namespaces.

        It asks for a container without a filter of system calls, which the operator's resource class has to allow.
        """
        name = self.primary_container_name
        return self._with_spec(pod_privileges.with_nested_sandboxes(self.spec_manifest(), container=name))

    def to_k8s_pod(self) -> dict[str, Any]:
        """Return the whole template as a plain manifest, see `to_manifest`: this platform's form of it."""
        return self.to_manifest()

    def _with_spec(self, manifest: Mapping[str, Any]) -> PodTemplate:
        """A copy with another pod spec, in the form that the user gave: a model of the client stays one."""
        return replace(self, pod_spec=_in_the_form_of(self.pod_spec, manifest))

    def spec_manifest(self) -> dict[str, Any]:
        """Return the pod spec as a plain manifest."""
        return {} if self.pod_spec is None else as_manifest(self.pod_spec)

    def to_manifest(self) -> dict[str, Any]:
        """Return the whole template as a plain manifest: metadata and spec."""
        metadata = {"labels": self.labels, "annotations": self.annotations}
        return {"metadata": {key: value for key, value in metadata.items() if value}, "spec": self.spec_manifest()}


PodTemplateRequest: TypeAlias = str | PodTemplate | V1PodTemplate


def check_pod_template_request(request: object) -> None:
    """Raise InvalidSettingType unless the value is a name, a PodTemplate, or a V1PodTemplate."""
    if not isinstance(request, str | PodTemplate) and not _is_kubernetes_model(request):
        raise InvalidSettingType(
            f"Expected pod_template to be of type str or PodTemplate, got {type(request)}", field="pod_template"
        )


def normalise_pod_template(request: object) -> str | PodTemplate | None:
    """Return the name or the `PodTemplate` that a request means.

    Raises InvalidSetting for a malformed name, labels or annotations, or a spec without its primary container.
    """
    if request is None:
        return None
    check_pod_template_request(request)
    if isinstance(request, str):
        return check_name(request, kind=NameKind.POD_TEMPLATE, field="pod_template")
    template = request if isinstance(request, PodTemplate) else PodTemplate.from_kubernetes(request)
    check_pod_labels(template.labels or {}, field="pod_template.labels")
    check_pod_annotations(template.annotations or {}, field="pod_template.annotations")
    names = [container.get("name") for container in template.spec_manifest().get("containers", [])]
    if names and template.primary_container_name not in names:
        raise InvalidSetting(
            f"pod_template has no container named {template.primary_container_name!r}, only {names}. "
            "Name the task's container with primary_container_name=.",
            field="pod_template.primary_container_name",
        )
    return template


def as_manifest(model: object) -> dict[str, Any]:
    """Return a Kubernetes model, or a mapping with models inside, as a plain manifest without empty fields."""
    manifest = _plain(model)
    if not isinstance(manifest, dict):
        raise InvalidSettingType(f"{type(model)} is not a Kubernetes object", field="pod_template")
    return manifest


def _plain(value: object) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    attribute_map = getattr(value, "attribute_map", None)
    if attribute_map is not None:
        return _without_none({key: _plain(getattr(value, name)) for name, key in attribute_map.items()})
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(by_alias=True, exclude_none=True))
    if isinstance(value, Mapping):
        return _without_none({str(key): _plain(element) for key, element in value.items()})
    if isinstance(value, Sequence | set | frozenset):
        return [_plain(element) for element in value]
    raise InvalidSettingType(f"pod_template contains {value!r}, which no manifest can carry", field="pod_template")


def _in_the_form_of(original: object, manifest: Mapping[str, Any]) -> Any:
    # Models of older clients cannot be made of a manifest.
    from_dict = getattr(type(original), "from_dict", None)
    return dict(manifest) if from_dict is None else from_dict(dict(manifest))


def _without_none(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}


def _is_kubernetes_model(value: object) -> bool:
    return type(value).__name__ == "V1PodTemplate" and type(value).__module__.partition(".")[0].startswith("kubernetes")


def _primary_of(spec: Mapping[str, Any]) -> str:
    names = [container.get("name", "") for container in spec.get("containers") or []]
    if len(names) == 1 and names[0]:
        return str(names[0])
    return PRIMARY_CONTAINER_DEFAULT_NAME
