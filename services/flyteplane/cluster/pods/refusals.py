"""One way to refuse a pod: every refusal names the field and the mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyteplane.foundation.errors import InvalidArgument

TEMPLATE: Final = "pod_template"
"""Where every path inside a template begins, whether it was given by value or by name."""


def refusal(message: str, *, field: str, mend: str, limit: str = "", reason: str = "INVALID_POD") -> InvalidArgument:
    """The error for something of a pod that cannot be kept."""
    return InvalidArgument(message, reason=reason, field=field, limit=limit, mend=mend)


def forbidden(message: str, *, field: str, mend: str) -> InvalidArgument:
    """The error for something that Kubernetes could do and the platform does not let a template do."""
    return refusal(message, field=field, mend=mend, reason="POD_NOT_ALLOWED")


@contextmanager
def refusing(*, field: str, mend: str) -> Iterator[None]:
    """Turns the errors of the shared rules of settings into refusals of a field of a pod."""
    try:
        yield
    except (InvalidSetting, InvalidSettingType) as problem:
        raise refusal(str(problem), field=field, mend=mend) from problem
