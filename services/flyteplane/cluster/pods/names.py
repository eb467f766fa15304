"""Names of pods and namespaces: deterministic, and always such that Kubernetes accepts them."""

from __future__ import annotations

import hashlib
import re
from string import Formatter
from typing import Final

from flyteplane.cluster.pods.refusals import refusal

LABEL_LENGTH: Final = 63
"""The most characters of a DNS label and of a label's value."""

#: Of characters with 5 bits each: no two of a namespace are equal by chance.
_DIGEST_LENGTH: Final = 12
_DNS_LABEL: Final = re.compile(r"\A[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
_LABEL_VALUE: Final = re.compile(r"\A([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?\Z")
_KUBERNETES_OWN: Final = "kube-"
_BASE32: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def is_dns_label(text: str) -> bool:
    """Whether Kubernetes takes the text as a name of a pod, a container or a namespace."""
    return len(text) <= LABEL_LENGTH and _DNS_LABEL.match(text) is not None


def is_label_value(text: str) -> bool:
    """Whether Kubernetes takes the text as a label's value."""
    return len(text) <= LABEL_LENGTH and _LABEL_VALUE.match(text) is not None


def pod_name(worker_name: str) -> str:
    """The name of a worker's pod: what is readable of the worker's name, and a digest of all of it."""
    readable = re.sub(r"[^a-z0-9]+", "-", worker_name.lower()).strip("-")
    prefix = readable[: LABEL_LENGTH - _DIGEST_LENGTH - 1].strip("-") or "worker"
    return f"{prefix}-{digest_of(worker_name)}"


def digest_of(text: str) -> str:
    """60 bits of the text's SHA-256 in lower-case letters and digits."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return "".join(_BASE32[(number >> (5 * position)) & 31] for position in range(_DIGEST_LENGTH))


def label_value(text: str) -> str:
    """The text if it may be a label's value, else what is left of it, made unique by a digest."""
    if is_label_value(text):
        return text
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[: LABEL_LENGTH - _DIGEST_LENGTH - 1].strip("-._")
    return f"{readable}-{digest_of(text)}" if readable else digest_of(text)


def namespace_of(template: str, *, project: str, domain: str) -> str:
    """The namespace for the pods of a project and domain.

    `template` may hold `{project}` and `{domain}`; one without either is one namespace for all.

    Raises:
        InvalidArgument: the template has other braces, or the result is no name that Kubernetes takes, or is its own.
    """
    namespace = "".join(_parts(template, values={"project": project, "domain": domain}))
    if not is_dns_label(namespace):
        raise refusal(
            f"namespace {namespace!r}, made of {template!r}, is no DNS label",
            field="namespace",
            limit=f"{LABEL_LENGTH} characters: lower-case letters, digits and '-', a letter or digit at both ends",
            mend="Configure a shorter namespace template, or give project and domain shorter names.",
        )
    if namespace.startswith(_KUBERNETES_OWN):
        raise refusal(
            f"namespace {namespace!r} is kept for Kubernetes itself",
            field="namespace",
            mend="Configure a namespace template that does not begin with 'kube-'.",
        )
    return namespace


def shares_namespaces(template: str) -> bool:
    """Whether the pods of several projects meet in one namespace. Raises InvalidArgument."""
    sentinel = "\0"
    return sentinel not in "".join(_parts(template, values={"project": sentinel, "domain": ""}))


def _parts(template: str, *, values: dict[str, str]) -> list[str]:
    problem = refusal(
        f"namespace template {template!r} is malformed",
        field="namespace",
        mend="Use plain text with {project} and {domain}, such as 'flyte-{project}-{domain}'.",
    )
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise problem from error
    if any(name is not None and (name not in values or style or conversion) for _, name, style, conversion in parsed):
        raise problem
    return [text + ("" if name is None else values[name]) for text, name, _, _ in parsed]
