"""The filter of the list of runs: from the address to a request, and back into the form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from flyteapi.admin.v1.run_service_pb2 import ListRunsRequest
from flyteplane.console.views.phases import phase_of_code
from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

PAGE: Final = 50
_NAMES: Final = ("task", "label", "queue", "by", "since", "until")
#: Short names of times back from now, for addresses that stay of use.
_SPANS: Final = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What was asked for, as it was written."""

    project: str
    domain: str
    task: str = ""
    phases: tuple[str, ...] = ()
    label: str = ""
    """"key=value", several separated by commas."""
    queue: str = ""
    by: str = ""
    since: str = ""
    """A day or moment in ISO 8601, UTC unless it says otherwise, or one of "1h", "1d", "7d", "30d" ago."""
    until: str = ""

    @property
    def query(self) -> str:
        """As the query of an address, without the page."""
        said = [(name, getattr(self, name)) for name in ("project", "domain", *_NAMES) if getattr(self, name)]
        return urlencode([*said, *(("phase", phase) for phase in self.phases)])

    @property
    def narrows(self) -> bool:
        """Whether anything but project and domain was asked for."""
        return bool(self.phases) or any(getattr(self, name) for name in _NAMES)

    def request(self, *, now: datetime, token: str = "") -> ListRunsRequest:
        """What to ask of the platform. Raises InvalidArgument for what cannot be read."""
        request = ListRunsRequest(
            project=self.project,
            domain=self.domain,
            task_name=self.task,
            created_by=self.by,
            queue=self.queue,
            labels=_labels(self.label),
            page_size=PAGE,
            page_token=token,
        )
        for code in self.phases:
            if (phase := phase_of_code(code)) is None:
                raise InvalidArgument(f"there is no phase {code!r}", field="phase")
            request.phases.append(phase.number)  # type: ignore[arg-type]  # a view keeps it as a plain number
        if self.since:
            request.created_after.FromDatetime(_moment(self.since, now=now, field="since"))
        if self.until:
            request.created_before.FromDatetime(_moment(self.until, now=now, field="until"))
        return request


def run_filter(query: QueryParams, *, project: str, domain: str) -> RunFilter:
    """The filter of an address."""
    texts = {name: query.get(name, "").strip()[:200] for name in _NAMES}
    phases = tuple(code for code in query.getlist("phase") if code)
    return RunFilter(project=project, domain=domain, phases=phases, **texts)


def _labels(text: str) -> Mapping[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not separator for _, separator, _ in pairs):
        raise InvalidArgument(f"the label {text!r} cannot be read", field="label", mend="Write key=value.")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _moment(text: str, *, now: datetime, field: str) -> datetime:
    if text in _SPANS:
        return now - _SPANS[text]
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument(
            f"the time {text!r} cannot be read", field=field, mend="Write for example 2026-11-22 or 2026-11-22T14:30."
        ) from None
