"""What the operator says about traces, and the taker of spans that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from flyteplane.observe.export import ExportedSpans

_SCHEMES: Final = ("http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Section `telemetry` of the operator's file. Raises InvalidArgument."""

    otlp_endpoint: str = ""
    """Collector that speaks OTLP over gRPC: `http://host:port` without TLS, `https://host:port`. Empty: no export."""
    sample: float = 1.0
    """Part of the runs that the platform begins a trace for, of those that did not come with one."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.sample <= 1.0:
            raise InvalidArgument(
                f"{self.sample:g} is no part of the runs", field="sample", limit="0 to 1", mend="Use 0.1 for a tenth."
            )
        if self.otlp_endpoint and not _is_endpoint(self.otlp_endpoint):
            raise InvalidArgument(
                f"the collector {self.otlp_endpoint!r} cannot be read",
                field="otlp_endpoint",
                mend="Use http://HOST:PORT, or https://HOST:PORT for TLS; the port of OTLP over gRPC is 4317.",
            )


def open_exporter(settings: TelemetrySettings, *, process: str, version: str) -> ExportedSpans | None:
    """Begin to export, or None where no collector is named. Raises InvalidArgument if OpenTelemetry is not installed.

    Args:
        process: tells this process apart from others of the platform.
    """
    if not settings.otlp_endpoint:
        return None
    try:
        from flyteplane.observe.otlp import open_otlp
    except ImportError as error:
        raise InvalidArgument(
            "traces need OpenTelemetry, which is not installed",
            reason="TELEMETRY_MISSING",
            field="telemetry.otlp_endpoint",
            mend="Install flyteplane[telemetry], or leave telemetry out of the operator's file.",
        ) from error
    facts = {"service.name": "flyteplane", "service.instance.id": process, "service.version": version}
    return open_otlp(settings.otlp_endpoint, attributes=facts)


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port is not None
    except ValueError:
        return False
