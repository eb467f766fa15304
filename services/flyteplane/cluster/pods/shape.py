"""Checks of the shape of plain data: small functions that are put together to the shape of a whole document.

Each takes a value and the path to it and raises InvalidArgument where the value is of another shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

from flyte.spec.names import NameKind, check_name
from flyte.spec.quantities import parse_quantity
from flyteplane.cluster.pods.names import is_dns_label
from flyteplane.cluster.pods.refusals import refusal, refusing

Check: TypeAlias = Callable[[Any, str], None]

_ENV_NAME: Final = re.compile(r"\A[-._a-zA-Z][-._a-zA-Z0-9]*\Z")
_GREATEST_WHOLE: Final = 2**63 - 1


def text(value: Any, path: str) -> None:
    """Any text without a zero byte."""
    if not isinstance(value, str) or "\0" in value:
        raise _wrong(value, path, "text")


def filled(value: Any, path: str) -> None:
    """Text that is not empty."""
    text(value, path)
    if not value:
        raise _wrong(value, path, "text that is not empty")


def flag(value: Any, path: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong(value, path, "true or false")


def whole(value: Any, path: str) -> None:
    """A whole number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _GREATEST_WHOLE:
        raise _wrong(value, path, "a whole number of at least 0")


def port(value: Any, path: str) -> None:
    """A port number."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise _wrong(value, path, "a port from 1 to 65535")


def quantity(value: Any, path: str) -> None:
    """A quantity such as 1, "500m" or "2Gi"."""
    with refusing(field=path, mend="Write a quantity of at least 0, such as 1, '500m' or '2Gi'."):
        parse_quantity(value, field=path)


def dns_label(value: Any, path: str) -> None:
    """A name of a container or a volume."""
    if not isinstance(value, str) or not is_dns_label(value):
        raise _wrong(value, path, "a name of at most 63 lower-case letters, digits and '-'")


def absolute_path(value: Any, path: str) -> None:
    """A place in the container's file system."""
    text(value, path)
    if not value.startswith("/") or ":" in value or ".." in value.split("/"):
        raise _wrong(value, path, "an absolute path without ':' and '..'")


def label_pair(key: str, value: Any, path: str) -> None:
    """A label's key and value."""
    with refusing(
        field=path, mend="Use up to 63 letters, digits, '-', '_' and '.', the key with 'example.com/' before it."
    ):
        check_name(key, kind=NameKind.LABEL_KEY, field=path)
        check_name(value, kind=NameKind.LABEL_VALUE, field=path)


def labels(value: Any, path: str) -> None:
    """Labels to select by."""
    mapping(value, path)
    for key, element in value.items():
        label_pair(key, element, f"{path}[{key}]")


def subdomain(value: Any, path: str) -> None:
    """A name of an object of Kubernetes, or nothing."""
    if value == "":
        return
    with refusing(field=path, mend="Use lower-case letters, digits, '-' and '.'."):
        check_name(value, kind=NameKind.SERVICE_ACCOUNT, field=path)


def env_name(value: Any, path: str) -> None:
    """A name of an environment variable."""
    if not isinstance(value, str) or not _ENV_NAME.match(value):
        raise _wrong(value, path, "a name of letters, digits, '_', '-' and '.', not beginning with a digit")


def one_of(*texts: str) -> Check:
    """One of these texts."""

    def checked(value: Any, path: str) -> None:
        if value not in texts:
            raise _wrong(value, path, f"one of {', '.join(map(repr, texts))}")

    return checked


def anything(value: Any, path: str) -> None:
    """A part that the cluster alone judges."""


def mapping(value: Any, path: str) -> None:
    """An object, whatever it holds: the cluster judges its fields."""
    if not isinstance(value, Mapping):
        raise _wrong(value, path, "an object")


def mapping_of(check: Check) -> Check:
    """An object with any keys and values of one shape."""

    def checked(value: Any, path: str) -> None:
        mapping(value, path)
        for key, element in value.items():
            check(element, f"{path}[{key}]")

    return checked


def list_of(check: Check) -> Check:
    """A list with elements of one shape."""

    def checked(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise _wrong(value, path, "a list")
        for position, element in enumerate(value):
            check(element, f"{path}[{position}]")

    return checked


def record(fields: Mapping[str, Check], *, required: Collection[str] = ()) -> Check:
    """An object with these fields and no others."""

    def checked(value: Any, path: str) -> None:
        mapping(value, path)
        for key, element in value.items():
            check = fields.get(key)
            if check is None:
                raise refusal(
                    f"{path} has the field {key!r}, which is none that the platform knows",
                    field=f"{path}.{key}",
                    mend=f"Leave it out. Known are: {', '.join(sorted(fields))}.",
                )
            check(element, f"{path}.{key}")
        for name in required:
            if name not in value:
                raise refusal(f"{path} has no {name}", field=f"{path}.{name}", mend=f"Give it a {name}.")

    return checked


def _wrong(value: Any, path: str, wanted: str) -> Exception:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return refusal(f"{path} is {shown}, not {wanted}", field=path, mend=f"Write {wanted}.")
