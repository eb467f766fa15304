"""What is wrong with an object by the API of a current Kubernetes, as far as its own client knows it.

The client's models name every field, its type and whether it has to be there. Fields that no model knows, which an API
server drops without a word, are found here; so are names, labels, ports and quantities that it would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kubernetes.client import models

_GROUPS: Final = {
    "v1": {"ConfigMap", "Namespace", "PersistentVolumeClaim", "Service", "ServiceAccount"},
    "apps/v1": {"Deployment", "StatefulSet"},
    "batch/v1": {"Job"},
    "networking.k8s.io/v1": {"NetworkPolicy"},
    "policy/v1": {"PodDisruptionBudget"},
    "rbac.authorization.k8s.io/v1": {"Role", "RoleBinding"},
}
_PLAIN: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (float, int),
    "object": (object,),
}
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL: Final = re.compile(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?")
_PORT_NAME: Final = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_QUANTITY: Final = re.compile(r"\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")


def problems_of(one: Mapping[str, Any]) -> list[str]:
    """A line for each thing that is wrong with an object."""
    version, kind = str(one.get("apiVersion")), str(one.get("kind"))
    if kind not in _GROUPS.get(version, ()):
        return [f"{version} {kind} is not of a current release"]
    return [*_typed(one, f"V1{kind}", kind), *_metadata(one["metadata"], kind), *_deeper(one, kind)]


def _typed(value: Any, wanted: str, at: str) -> Iterator[str]:
    """Follows the types that the models name, down to the leaves."""
    if inner := re.fullmatch(r"[Ll]ist\[(.+)\]", wanted):
        if not isinstance(value, list):
            yield f"{at}: is no list"
            return
        for number, each in enumerate(value):
            yield from _typed(each, inner[1], f"{at}[{number}]")
    elif inner := re.fullmatch(r"[Dd]ict[\[(]str, (.+)[\])]", wanted):
        if not isinstance(value, dict):
            yield f"{at}: is no mapping"
            return
        for name, each in value.items():
            yield from _typed(each, inner[1], f"{at}.{name}")
    elif wanted in _PLAIN:
        # To Python a bool is an int.
        if not isinstance(value, _PLAIN[wanted]) or (isinstance(value, bool) and wanted not in ("bool", "object")):
            yield f"{at}: {value!r} is no {wanted}"
    else:
        yield from _of_model(value, wanted, at)


def _of_model(value: Any, wanted: str, at: str) -> Iterator[str]:
    model: Any = getattr(models, wanted)
    if not isinstance(value, dict):
        yield f"{at}: is no {wanted}"
        return
    fields = {written: name for name, written in model.attribute_map.items()}
    for written, each in value.items():
        if written not in fields:
            yield f"{at}: there is no field {written}"
        else:
            yield from _typed(each, model.openapi_types[fields[written]], f"{at}.{written}")
    try:
        model(**{fields[written]: each for written, each in value.items() if written in fields})
    except ValueError as error:
        yield f"{at}: {' '.join(str(error).split())}"


def _metadata(metadata: Mapping[str, Any], at: str) -> Iterator[str]:
    if _NAME.fullmatch(str(metadata.get("name", ""))) is None:
        yield f"{at}: {metadata.get('name')!r} is no name"


def _deeper(value: Any, at: str) -> Iterator[str]:
    """What types do not say."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _deeper(each, f"{at}[{number}]")
    if not isinstance(value, dict):
        return
    for name, each in value.items():
        here = f"{at}.{name}"
        if name in ("labels", "matchLabels"):
            yield from (f"{here}: {word!r} is no label" for word in each.values() if not _LABEL.fullmatch(word))
        elif name in ("requests", "limits"):
            yield from (f"{here}: {word!r} is no quantity" for word in each.values() if not _QUANTITY.fullmatch(word))
        elif name == "ports" and not at.endswith("gress"):
            yield from _ports(each, here)
        yield from _deeper(each, here)


def _ports(ports: Any, at: str) -> Iterator[str]:
    for port in ports:
        word = port.get("name")
        if word is not None and _PORT_NAME.fullmatch(word) is None:
            yield f"{at}: {word!r} is no name of a port"
        number = port.get("containerPort", port.get("port"))
        if not 0 < number < 65536:
            yield f"{at}: {number} is no port"
