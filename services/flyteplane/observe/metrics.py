"""Metrics in a registry of their own, so that several platforms in one process, and every test, count apart.

Nothing is counted for metrics alone: a service counts what it does in plain numbers, and these are read when somebody
asks. prometheus_client is loaded with the first question.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

#: Bounds in seconds for what ought to take milliseconds.
LATENCY_BOUNDS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)
_NAMESPACE: Final = "flyteplane"


class Reading(NamedTuple):
    """A figure at the moment in which it is read."""

    name: str
    description: str
    value: float
    labels: Mapping[str, str] = {}
    """The same keys for all readings of a name."""
    grows: bool = False
    """It only ever grows; prometheus adds `_total` to the name."""


class Distribution:
    """How often values fell between bounds. Counting one costs half a microsecond; belongs to one thread."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS_S) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    @property
    def total(self) -> float:
        """Their sum."""
        return self._sum

    def buckets(self) -> list[tuple[str, float]]:
        """For each bound, how many values were not above it."""
        names = [*map(str, self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))


class DistributionReading(NamedTuple):
    """A distribution at the moment in which it is read."""

    name: str
    description: str
    values: Distribution
    labels: Mapping[str, str] = {}


Source = Callable[[], "Iterable[Reading | DistributionReading]"]


class Metrics:
    """Tells what services count, as metrics named `flyteplane_<name>`."""

    def __init__(self) -> None:
        self._sources: list[Source] = []

    @cached_property
    def registry(self) -> "CollectorRegistry":
        """What an exporter reads."""
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry(auto_describe=True)
        registry.register(_Readings(self._sources))
        return registry

    def read_from(self, source: Source) -> Callable[[], None]:
        """Ask `source` whenever metrics are read; returns what ends that. Read where `text` is called."""
        self._sources.append(source)
        return lambda: self._sources.remove(source)

    def text(self) -> bytes:
        """Everything in the text format that Prometheus scrapes."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)


class _Readings:
    """Collects from the sources that there are at the moment, as prometheus_client asks for it."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def describe(self) -> "Iterable[Metric]":
        """Nothing: what is read is not known before."""
        return ()

    def collect(self) -> "Iterator[Metric]":
        """All readings, by name."""
        families: dict[str, Any] = {}
        for source in self._sources:
            for reading in source():
                family = families.get(reading.name)
                if family is None:
                    family = families[reading.name] = _family_of(reading)
                labels = list(reading.labels.values())
                if isinstance(reading, DistributionReading):
                    family.add_metric(labels, reading.values.buckets(), reading.values.total)
                else:
                    family.add_metric(labels, reading.value)
        yield from families.values()


def _family_of(reading: Reading | DistributionReading) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    kind: Any
    if isinstance(reading, DistributionReading):
        kind = HistogramMetricFamily
    else:
        kind = CounterMetricFamily if reading.grows else GaugeMetricFamily
    return kind(f"{_NAMESPACE}_{reading.name}", reading.description, labels=list(reading.labels))
