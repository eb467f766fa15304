"""Resource classes: the shapes that the operator defines, and which of them a task's demand gets.

The choice is a function of the demand and the classes alone, so that a task gets the same class wherever and whenever
it is asked. Values that exist are valid: making one checks it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.scheduler.domain.queueing.checks import check_clusters, check_name, check_range

MOST_CPU_MILLIS: Final = 1_000_000_000
MOST_MEMORY_BYTES: Final = 2**60
MOST_ACCELERATORS: Final = 1_000_000
MOST_TOLERATIONS_LENGTH: Final = 16_384

#: How much of each accelerator, by device class ("GPU") or device class and device ("GPU/A100").
Accelerators = Mapping[str, int]
NO_ACCELERATORS: Final[Accelerators] = MappingProxyType({})

_ACCELERATOR: Final = re.compile(r"[A-Z][A-Z0-9_]{0,31}(/[A-Za-z0-9][A-Za-z0-9._ -]{0,62})?")
_LABEL_KEY: Final = re.compile(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII
)
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_OBJECT_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_TOLERATION_KEYS: Final = ("key", "operator", "value", "effect", "tolerationSeconds")
_TAINT_EFFECTS: Final = ("", "NoSchedule", "PreferNoSchedule", "NoExecute")


class Demand(NamedTuple):
    """What one attempt occupies while it runs. A key of what waits, and hashed for every action: hence a tuple."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    accelerators: tuple[tuple[str, int], ...] = ()
    """Pairs of an accelerator ("GPU" or "GPU/A100") and how many of it."""
    clusters: tuple[str, ...] = ()
    """The only clusters that can carry it out; empty: any."""


NOTHING: Final = Demand()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRoom:
    """What a cluster has. A capacity of 0, or an accelerator that is not named: the cluster itself decides."""

    name: str
    cpu_millis: int = 0
    memory_bytes: int = 0
    accelerators: Accelerators = field(default_factory=dict)
    has_nodes: bool = True
    """Whether it chooses among nodes by what a class says of pods; processes of one machine do not."""

    def never_fits(self, demand: Demand) -> bool:
        """True for a demand that even an empty cluster cannot meet. Cpu can be shared, so that an attempt that asks for
        more of it than there is gets the whole of it alone; memory and accelerators cannot."""
        if self.memory_bytes and demand.memory_bytes > self.memory_bytes:
            return True
        return any(count > self.accelerators.get(key, count) for key, count in counted_accelerators(demand))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceClass:
    """One shape. A maximum or quota of 0 means no limit. Raises InvalidArgument for what cannot be."""

    name: str
    max_cpu_millis: int = 0
    max_memory_bytes: int = 0
    max_accelerators: Accelerators = field(default_factory=dict)
    """Most of each accelerator of one attempt; one that is not named is not to be had in this class."""
    clusters: tuple[str, ...] = ()
    """Clusters that offer it; empty or ("*",): all."""
    quota_cpu_millis: int = 0
    """Most cpu that attempts of the class use at once; the same for memory."""
    quota_memory_bytes: int = 0
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations_json: str = ""
    """A JSON list of tolerations as in a pod's spec; empty: none."""
    priority_class: str = ""
    allow_host_paths: bool = False
    allow_privileged: bool = False
    allow_service_account_token: bool = False
    service_accounts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, what="resource class")
        check_range(self.max_cpu_millis, field="max_cpu_millis", most=MOST_CPU_MILLIS, unit="millicores")
        check_range(self.max_memory_bytes, field="max_memory_bytes", most=MOST_MEMORY_BYTES, unit="bytes")
        check_range(self.quota_cpu_millis, field="quota_cpu_millis", most=MOST_CPU_MILLIS, unit="millicores")
        check_range(self.quota_memory_bytes, field="quota_memory_bytes", most=MOST_MEMORY_BYTES, unit="bytes")
        _check_accelerators(self.max_accelerators)
        _check_quota(self)
        check_clusters(self.clusters)
        _check_selector(self.node_selector)
        parse_tolerations(self.tolerations_json)
        for account in self.service_accounts:
            _check_object_name(account, field="service_accounts")
        if self.priority_class:
            _check_object_name(self.priority_class, field="priority_class")

    def fits(self, demand: Demand) -> bool:
        """True if one attempt with this demand stays within the maxima and within an unused quota."""
        if self.max_cpu_millis and demand.cpu_millis > self.max_cpu_millis:
            return False
        if self.max_memory_bytes and demand.memory_bytes > self.max_memory_bytes:
            return False
        if self.quota_cpu_millis and demand.cpu_millis > self.quota_cpu_millis:
            return False
        if self.quota_memory_bytes and demand.memory_bytes > self.quota_memory_bytes:
            return False
        return _accelerators_fit(demand.accelerators, self.max_accelerators)

    @property
    def size(self) -> tuple[int, float, float, str]:
        """The order of classes: accelerators, then memory, then cpu, then name; no limit is more than any limit."""
        return (
            sum(self.max_accelerators.values()),
            self.max_memory_bytes or float("inf"),
            self.max_cpu_millis or float("inf"),
            self.name,
        )


def counted_accelerators(demand: Demand) -> Iterator[tuple[str, int]]:
    """The accelerators of a demand as they are counted: a device counts as itself and as one of its device class."""
    for key, count in demand.accelerators:
        yield key, count
        device_class, _, device = key.partition("/")
        if device:
            yield device_class, count


def smallest_fit(demand: Demand, classes: Iterable[ResourceClass]) -> ResourceClass | None:
    """The smallest class that the demand fits, by `ResourceClass.size`; None if there is none. A class with
    accelerators is not for a demand without any: these are too dear to be wasted."""
    return min((one for one in classes if one.fits(demand)), key=lambda one: one.size, default=None)


def describe_classes(classes: Iterable[ResourceClass]) -> str:
    """The classes with their maxima, smallest first, for a person."""
    return "; ".join(_describe(one) for one in sorted(classes, key=lambda one: one.size)) or "none"


def parse_tolerations(text: str) -> list[dict[str, Any]]:
    """The tolerations of a class. Raises InvalidArgument if they are not a JSON list of tolerations."""
    if not text:
        return []
    try:
        if len(text) > MOST_TOLERATIONS_LENGTH:
            raise ValueError(f"longer than {MOST_TOLERATIONS_LENGTH} characters")
        parsed = json.loads(text)
        if not isinstance(parsed, list):
            raise ValueError("not a list")
        for one in parsed:
            if not _is_toleration(one):
                raise ValueError(f"{json.dumps(one)} is not a toleration")
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"the tolerations cannot be read: {error}",
            reason="INVALID_TOLERATIONS",
            field="tolerations_json",
            mend=f"Give a JSON list of objects with some of {', '.join(_TOLERATION_KEYS)}.",
        ) from error
    return parsed


def _is_toleration(one: object) -> bool:
    """By the rules of the Kubernetes API, so that no pod is refused for what an operator wrote."""
    if not isinstance(one, dict) or not one or any(key not in _TOLERATION_KEYS for key in one):
        return False
    key, operator, value = one.get("key", ""), one.get("operator", "Equal"), one.get("value", "")
    seconds, effect = one.get("tolerationSeconds"), one.get("effect", "")
    if not (isinstance(key, str) and isinstance(value, str) and _LABEL_VALUE.fullmatch(value)):
        return False
    # A toleration of every key exists only as one that asks for no value.
    sound = {"Equal": bool(key), "Exists": not value}.get(operator, False) if isinstance(operator, str) else False
    if not sound or (key and _LABEL_KEY.fullmatch(key) is None) or effect not in _TAINT_EFFECTS:
        return False
    whole = isinstance(seconds, int) and not isinstance(seconds, bool)
    return seconds is None or (whole and effect == "NoExecute")


def _accelerators_fit(wanted: tuple[tuple[str, int], ...], most: Accelerators) -> bool:
    """A device is to be had where it or its device class is named; a device class also where a device of it is."""
    if not wanted:
        return not most
    left = dict(most)
    for key, count in wanted:
        granted = next((name for name in _grants(key, left) if left[name] >= count), None)
        if granted is None:
            return False
        left[granted] -= count
    return True


def _grants(key: str, most: Accelerators) -> list[str]:
    device_class, _, device = key.partition("/")
    if device:
        return [name for name in (key, device_class) if name in most]
    return sorted(name for name in most if name.partition("/")[0] == device_class)


def _describe(one: ResourceClass) -> str:
    cpu = f"cpu {one.max_cpu_millis / 1000:g}" if one.max_cpu_millis else "any cpu"
    memory = f"memory {one.max_memory_bytes / 2**30:.4g} GiB" if one.max_memory_bytes else "any memory"
    more = [f"{key} {count}" for key, count in sorted(one.max_accelerators.items())]
    return f"{one.name} ({', '.join([cpu, memory, *more])})"


def _check_accelerators(accelerators: Accelerators) -> None:
    for key, count in accelerators.items():
        if _ACCELERATOR.fullmatch(key) is None:
            raise InvalidArgument(
                f"{key!r} is not an accelerator",
                reason="INVALID_NAME",
                field="max_accelerators",
                mend='Name a device class such as "GPU", or a device such as "GPU/A100".',
            )
        check_range(count, field=f"max_accelerators.{key}", most=MOST_ACCELERATORS, least=1)


def _check_quota(one: ResourceClass) -> None:
    for what, most, quota in (
        ("cpu_millis", one.max_cpu_millis, one.quota_cpu_millis),
        ("memory_bytes", one.max_memory_bytes, one.quota_memory_bytes),
    ):
        if quota and most > quota:
            raise InvalidArgument(
                f"the quota is less than max_{what}, which one attempt may use",
                reason="QUOTA_BELOW_MAXIMUM",
                field=f"quota_{what}",
                limit=str(most),
                mend=f"Raise the quota, lower max_{what}, or say 0 for no quota.",
            )


def _check_selector(selector: Mapping[str, str]) -> None:
    for key, value in selector.items():
        if _LABEL_KEY.fullmatch(key) is None or _LABEL_VALUE.fullmatch(value) is None:
            raise InvalidArgument(
                f"{key}={value} is not a label that a Kubernetes node can have",
                reason="INVALID_LABEL",
                field="node_selector",
                mend="Give label=value as the nodes carry it.",
            )


def _check_object_name(name: str, *, field: str) -> None:
    if _OBJECT_NAME.fullmatch(name) is None:
        raise InvalidArgument(
            f"{name!r} is not a name that Kubernetes accepts",
            reason="INVALID_NAME",
            field=field,
            limit="1 to 253 characters of a-z, 0-9, - and .",
        )
