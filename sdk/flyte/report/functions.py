"""The report of the current task, as functions that are called, or awaited as `.aio`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Generic, ParamSpec

from flyte.report.document import MAIN_TAB, Report, Tab

P = ParamSpec("P")


class ReportFunction(Generic[P]):
    """A function with an `.aio` face. Neither blocks for longer than a small file takes to write."""

    def __init__(self, function: Callable[P, None]) -> None:
        self._function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Do it."""
        self._function(*args, **kwargs)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Do it."""
        self._function(*args, **kwargs)


def current_report() -> Report:
    """Return the report of the current task; outside of a task one that is never written."""
    from flyte.authoring.context import ctx

    task = ctx()
    report = task.report if task else None
    return report if isinstance(report, Report) else Report()


def get_tab(name: str, /, create_if_missing: bool = True) -> Tab:
    """Return a tab of the current report. Raises ValueError if it is missing and may not be made."""
    return current_report().get_tab(name, create_if_missing)


@ReportFunction
def log(content: str, do_flush: bool = False) -> None:
    """Add HTML to the main tab."""
    report = current_report()
    report.get_tab(MAIN_TAB).log(content)
    if do_flush:
        report.flush()


@ReportFunction
def replace(content: str, do_flush: bool = False) -> None:
    """Put HTML in place of what is in the main tab."""
    report = current_report()
    report.get_tab(MAIN_TAB).replace(content)
    if do_flush:
        report.flush()


@ReportFunction
def flush() -> None:
    """Write the report."""
    current_report().flush()
