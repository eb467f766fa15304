"""The HTML report of a task: `flyte.report.log(html)` inside of a task with `report=True`.

A report has tabs; `log` and `replace` write to the one called "main", `get_tab` gives any other. `flush` writes the
report to the task's folder, which also happens when the task ends. Outside of a task nothing is written.
"""

from __future__ import annotations

from flyte.report.document import Report, Tab
from flyte.report.functions import current_report, flush, get_tab, log, replace
from flyte.report.timeline import Timeline, abbreviate, duration_ms

__all__ = [
    "Report",
    "Tab",
    "Timeline",
    "abbreviate",
    "current_report",
    "duration_ms",
    "flush",
    "get_tab",
    "log",
    "replace",
]
