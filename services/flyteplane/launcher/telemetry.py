"""What is seen of a process: metrics of its calls, which services it leads, and traces to the operator's collector."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from flyteplane.observe import Reading
from flyteplane.observe.spans import NoSpans
from flyteplane.observe.telemetry import open_exporter
from flyteplane.rpc.observation import RpcObservation

if TYPE_CHECKING:
    from flyteplane.launcher.services import Surroundings
    from flyteplane.rpc.server import RpcServer


def with_telemetry(
    given: Surroundings, *, process: str, carried: Sequence[str], stack: AsyncExitStack
) -> tuple[Surroundings, RpcObservation]:
    """The same surroundings with what takes spans, and what listeners are to be observed by.

    Args:
        process: tells this process apart from others of the platform.
        carried: the services whose leadership is told.

    Raises InvalidArgument when traces are asked for and cannot be had.
    """
    exporter = open_exporter(given.operator.telemetry, process=process, version=given.version)
    if exporter is not None:
        given.metrics.read_from(exporter.readings)
        stack.push_async_callback(asyncio.to_thread, exporter.close)
    observation = RpcObservation(spans=exporter or NoSpans(), clock=given.clock, ids=given.ids)
    given.metrics.read_from(observation.readings)
    given.metrics.read_from(lambda: _leadership(given, carried))
    return replace(given, spans=exporter or NoSpans()), observation


def observe(observation: RpcObservation | None, *servers: RpcServer | None) -> None:
    """Have every call of these listeners seen; None stands for a listener that there is not."""
    for server in servers:
        if server is not None and observation is not None:
            server.observed_by(observation)


def _leadership(given: Surroundings, carried: Sequence[str]) -> Iterator[Reading]:
    yield Reading("build_info", "1, with the version of this process.", 1, {"version": given.version})
    for service in carried:
        leads = service in given.leading
        yield Reading("leader", "Whether this process leads the service: 1 or 0.", int(leads), {"service": service})
