"""Metrics in a registry of their own, so that several platforms in one process, and every test, count apart.

prometheus_client is loaded when the first metric is made or the text is asked for. What a service counts anyway is not
counted twice: it is read when somebody asks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

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


Source = Callable[[], Iterable[Reading]]


class Metrics:
    """Makes metrics named `flyteplane_<name>`. Making one twice raises ValueError."""

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

    def counter(self, name: str, description: str, *, labels: Sequence[str] = ()) -> "Counter":
        """A count that only grows; prometheus adds `_total` to the name."""
        from prometheus_client import Counter

        return Counter(name, description, labels, namespace=_NAMESPACE, registry=self.registry)

    def gauge(self, name: str, description: str, *, labels: Sequence[str] = ()) -> "Gauge":
        """A value that goes up and down."""
        from prometheus_client import Gauge

        return Gauge(name, description, labels, namespace=_NAMESPACE, registry=self.registry)

    def histogram(
        self, name: str, description: str, *, labels: Sequence[str] = (), bounds: Sequence[float] = LATENCY_BOUNDS_S
    ) -> "Histogram":
        """How often values fell between `bounds`."""
        from prometheus_client import Histogram

        return Histogram(name, description, labels, namespace=_NAMESPACE, registry=self.registry, buckets=bounds)

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
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for source in self._sources:
            for reading in source():
                family = families.get(reading.name)
                if family is None:
                    kind = CounterMetricFamily if reading.grows else GaugeMetricFamily
                    name = f"{_NAMESPACE}_{reading.name}"
                    family = families[reading.name] = kind(name, reading.description, labels=list(reading.labels))
                family.add_metric(list(reading.labels.values()), reading.value)
        yield from families.values()
