"""Metrics in a registry of their own, so that several platforms in one process, and every test, count apart.

prometheus_client is loaded when the first metric is made or the text is asked for.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

#: Bounds in seconds for what ought to take milliseconds.
LATENCY_BOUNDS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)
_NAMESPACE: Final = "flyteplane"


class Metrics:
    """Makes metrics named `flyteplane_<name>`. Making one twice raises ValueError."""

    @cached_property
    def registry(self) -> "CollectorRegistry":
        """What an exporter reads."""
        from prometheus_client import CollectorRegistry

        return CollectorRegistry(auto_describe=True)

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
