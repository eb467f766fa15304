"""Which trace a run belongs to: the one that it came with, or one that the platform begins for it.

The trace is stored with the settings of the run, so that it outlives every process, but is no part of what makes two
requests the same run: whoever asks again does so in another span.
"""

import hashlib
from dataclasses import dataclass

from flyte.spec.trace_context import TraceContext, derived_span_id, run_context
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.domain.run import RunDraft
from flyteplane.foundation.ids import IdSource


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTraces:
    """Finds and begins traces.

    Args:
        sample: the part of the runs without a trace that are given one; 0 where traces are not exported.
    """

    ids: IdSource
    sample: float = 0.0

    def of(self, draft: RunDraft, *, run: str) -> bytes:
        """The trace of a new run, as serialised settings to append to those that were asked for; empty for none."""
        trace = TraceContext.parse(draft.trace_parent) or self._begun(run)
        return b"" if trace is None else RunSettings(trace_parent=str(trace)).SerializeToString()

    def _begun(self, run: str) -> TraceContext | None:
        # The sample is looked at first: without it not even a random number is drawn.
        if self.sample <= 0.0 or self.ids.fraction() >= self.sample:
            return None
        trace_id = hashlib.sha256(self.ids.unique().encode()).hexdigest()[:32]
        # Nothing is above the run: its own span begins the trace.
        return run_context(TraceContext(trace_id, derived_span_id(trace_id)), run)
