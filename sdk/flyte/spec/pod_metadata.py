"""Labels and annotations of what becomes a pod: the rules of Kubernetes, and the keys that users may not set.

The platform finds and adopts its pods by labels and annotations below its own domain. Whoever could set one of these
could have a pod taken for another attempt's, so they are refused wherever users write labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flyte.spec.names import NameKind, check_labels, check_name
from flyte.spec.problems import InvalidSetting, InvalidSettingType

PLATFORM_DOMAIN: Final = "flyteplane.dev"
"""Keys below it, and below its subdomains, are the platform's."""

MAX_ANNOTATIONS_BYTES: Final = 256 * 1024
"""What Kubernetes takes as keys and values of all annotations of one object."""


def is_platform_key(key: str) -> bool:
    """Tell whether only the platform may set a label or annotation."""
    prefix = key.rpartition("/")[0]
    return prefix == PLATFORM_DOMAIN or prefix.endswith(f".{PLATFORM_DOMAIN}")


def check_pod_labels(labels: Mapping[str, str], *, field: str = "labels") -> None:
    """Raise InvalidSetting or InvalidSettingType for labels that Kubernetes refuses or that are the platform's."""
    check_labels(dict(labels), field=field)
    _refuse_platform_keys(labels, field=field)


def check_pod_annotations(annotations: Mapping[str, str], *, field: str = "annotations") -> None:
    """Raise InvalidSetting or InvalidSettingType for annotations that Kubernetes refuses or that are the platform's."""
    for key, value in annotations.items():
        check_name(key, kind=NameKind.LABEL_KEY, field=f"{field} key")
        if not isinstance(value, str):
            raise InvalidSettingType(f"Expected {field}[{key}] to be of type str, got {type(value)}", field=field)
    _refuse_platform_keys(annotations, field=field)
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MAX_ANNOTATIONS_BYTES:
        raise InvalidSetting(
            f"{field} weigh {size} bytes; the limit is {MAX_ANNOTATIONS_BYTES}. Keep large values in a file.",
            field=field,
        )


def _refuse_platform_keys(keys: Mapping[str, str], *, field: str) -> None:
    for key in keys:
        if is_platform_key(key):
            raise InvalidSetting(
                f"{field}: {key} is set by the platform only. Use a key outside of {PLATFORM_DOMAIN}/.", field=field
            )
