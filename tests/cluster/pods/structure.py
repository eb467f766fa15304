"""What every pod that we make has to be, checked from the outside: knows nothing of how it was built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_UNITS: dict[str, Decimal] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
}


def assert_well_formed(pod: Mapping[str, Any]) -> None:
    """A body that an API server takes, as far as this can be seen without one."""
    assert (pod["apiVersion"], pod["kind"]) == ("v1", "Pod")
    assert pod.keys() == {"apiVersion", "kind", "metadata", "spec"}
    metadata, spec = pod["metadata"], pod["spec"]
    assert _DNS_LABEL.fullmatch(metadata["name"])
    assert _DNS_LABEL.fullmatch(metadata["namespace"])
    for key, value in metadata["labels"].items():
        assert _LABEL_KEY.fullmatch(key), key
        assert _LABEL_VALUE.fullmatch(value), value
    for key, value in metadata["annotations"].items():
        assert _LABEL_KEY.fullmatch(key), key
        assert isinstance(value, str)
    _assert_plain(pod)
    _assert_names(spec)
    for container in containers(spec):
        assert container["image"]
        _assert_resources(container.get("resources", {}))
        names = [variable["name"] for variable in container.get("env", ())]
        assert all(names)
    assert spec["restartPolicy"] == "Never"


def containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every container of every kind."""
    yield from spec.get("initContainers", ())
    yield from spec["containers"]


def assert_safe(pod: Mapping[str, Any]) -> None:
    """Meets the "restricted" profile, but for `runAsNonRoot`, and gives its token to one container only."""
    spec = pod["spec"]
    for forbidden in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "automountServiceAccountToken"):
        assert not spec.get(forbidden), forbidden
    for forbidden in ("nodeName", "ephemeralContainers", "priority", "schedulingGates", "serviceAccount"):
        assert forbidden not in spec
    assert spec.get("serviceAccountName", "default") == "default"
    of_pod = spec["securityContext"].get("seccompProfile", {"type": "none"})["type"]
    assert of_pod != "Unconfined"
    for volume in spec.get("volumes", ()):
        assert "hostPath" not in volume
        assert all("serviceAccountToken" not in s for s in volume.get("projected", {}).get("sources", ()))
    for container in containers(spec):
        context = container["securityContext"]
        assert not context.get("privileged")
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        assert set(context["capabilities"].get("add", ())) <= {"NET_BIND_SERVICE"}
        assert context.get("procMount", "Default") == "Default"
        assert context.get("seccompProfile", {}).get("type", of_pod) not in ("none", "Unconfined")
        assert not any(port.get("hostPort") for port in container.get("ports", ()))
    holders = [c["name"] for c in containers(spec) if any(v["name"] == "FLYTE_WORKER_TOKEN" for v in c.get("env", ()))]
    assert len(holders) == 1


def amount(text: Any) -> Decimal:
    """The number that a quantity means."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([A-Za-z]*)", str(text))
    assert found, text
    return Decimal(found[1]) * _UNITS[found[2]]


def _assert_plain(value: Any) -> None:
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        for element in value.values():
            _assert_plain(element)
    elif isinstance(value, list):
        for element in value:
            _assert_plain(element)
    else:
        assert isinstance(value, str | int | float | bool), value


def _assert_names(spec: Mapping[str, Any]) -> None:
    names = [container["name"] for container in containers(spec)]
    volumes = [volume["name"] for volume in spec.get("volumes", ())]
    for unique in (names, volumes):
        assert len(set(unique)) == len(unique)
        assert all(_DNS_LABEL.fullmatch(name) for name in unique)
    for container in containers(spec):
        mounts = container.get("volumeMounts", ())
        assert {mount["name"] for mount in mounts} <= set(volumes)
        paths = [mount["mountPath"] for mount in mounts]
        assert len(set(paths)) == len(paths)


def _assert_resources(resources: Mapping[str, Any]) -> None:
    limits = {name: amount(text) for name, text in resources.get("limits", {}).items()}
    for name, text in resources.get("requests", {}).items():
        assert amount(text) <= limits.get(name, amount(text))
