"""What a call is about, for lines in logs: read from the request by the names that all our messages use.

Asked only when a line is written. Contents are never told: names of runs and actions, numbers of attempts, the trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte.spec.trace_context import TraceContext


def facts_of(method: str, request: Any, trace: TraceContext | None) -> dict[str, Any]:
    """Facts for lines that are written while a call is answered. `request` may be a stream of requests."""
    facts: dict[str, Any] = {"rpc": method}
    if trace is not None:
        facts["trace"] = trace.trace_id
    action = getattr(request, "action", None)
    run: Any = getattr(action, "run", None) or getattr(request, "run", None)
    if getattr(run, "name", ""):
        facts["run"] = f"{run.project}/{run.domain}/{run.name}"
    name = action if isinstance(action, str) else getattr(action, "name", "")
    if name:
        facts["action"] = name
    attempt = getattr(request, "attempt", 0)
    if isinstance(attempt, int) and attempt:
        facts["attempt"] = attempt
    return facts
