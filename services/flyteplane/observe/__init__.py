"""Seeing what the platform does: structured logs and metrics."""

from flyteplane.observe.logs import bound, configure_logs, get_logger
from flyteplane.observe.metrics import Distribution, DistributionReading, Metrics, Reading

__all__ = ["Distribution", "DistributionReading", "Metrics", "Reading", "bound", "configure_logs", "get_logger"]
