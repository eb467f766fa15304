"""Rules for names, run settings and task specs. The SDK keeps the same ones, from the same place: `flyte.spec`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from flyte.spec.environment_variables import check_env_vars
from flyte.spec.limits import MIN_ACTION_CONCURRENCY
from flyte.spec.names import NameKind, check_name
from flyte.spec.pod_metadata import check_pod_annotations, check_pod_labels
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.task_rules import refuse_invalid_task
from flyte.spec.trace_context import TraceContext
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.foundation.errors import InvalidArgument

MOST_SETTINGS_BYTES: Final = 512 * 1024
MOST_TASK_BYTES: Final = 2 * 1024 * 1024
MOST_REASON_BYTES: Final = 1024
_CACHE_SCOPES: Final = ("", "project-domain", "global")
#: Of a Timestamp, in seconds since the epoch.
_FIRST_SECOND: Final = -62_135_596_800
_LAST_SECOND: Final = 253_402_300_799


@contextmanager
def spec_rules(prefix: str = "") -> Iterator[None]:
    """Turn a refusal of `flyte.spec` into ours, with the path of the field in the request."""
    try:
        yield
    except (InvalidSetting, InvalidSettingType) as problem:
        field = f"{prefix}.{problem.field}" if prefix and not problem.field.startswith(prefix) else problem.field
        raise InvalidArgument(str(problem), reason="INVALID_SETTING", field=field) from problem


def check_place(project: str, *, domain: str, field: str = "") -> None:
    """Check the grammar of a project and a domain. Raises InvalidArgument."""
    dot = f"{field}." if field else ""
    with spec_rules():
        check_name(project, kind=NameKind.PROJECT, field=f"{dot}project")
        check_name(domain, kind=NameKind.DOMAIN, field=f"{dot}domain")


def check_run_name(name: str, *, field: str = "run.name") -> None:
    """Check the name of a new run: a DNS label that begins with a letter. Raises InvalidArgument."""
    with spec_rules():
        check_name(name, kind=NameKind.RUN, field=field)
    if not name[0].isalpha():
        raise InvalidArgument(
            f"the run name {name!r} begins with a digit",
            reason="INVALID_SETTING",
            field=field,
            mend="Begin it with a letter.",
        )


def microseconds_of(time: Timestamp, *, field: str) -> int:
    """A message as microseconds since the epoch. Raises InvalidArgument for a time that messages cannot have."""
    if not (_FIRST_SECOND <= time.seconds <= _LAST_SECOND and 0 <= time.nanos < 1_000_000_000):
        raise InvalidArgument(
            "this is no time",
            reason="TIME",
            field=field,
            limit="the years 1 to 9999",
            mend="Send a valid google.protobuf.Timestamp.",
        )
    return time.seconds * 1_000_000 + time.nanos // 1000


def check_reason(reason: str) -> None:
    """Check the reason of an abort. Raises InvalidArgument."""
    if len(reason.encode()) > MOST_REASON_BYTES:
        raise InvalidArgument(
            "the reason is too long", reason="ABORT_REASON", field="reason", limit="1 KiB", mend="Say it more briefly."
        )


def check_settings(settings: RunSettings) -> None:
    """Check the settings of a run. Raises InvalidArgument."""
    _check_size(settings.ByteSize(), most=MOST_SETTINGS_BYTES, field="settings")
    with spec_rules("settings"):
        check_env_vars(settings.env, field="settings.env")
        check_pod_labels(settings.labels, field="settings.labels")
        check_pod_annotations(settings.annotations, field="settings.annotations")
        if settings.queue:
            check_name(settings.queue, kind=NameKind.QUEUE, field="settings.queue")
        if settings.service_account:
            check_name(settings.service_account, kind=NameKind.SERVICE_ACCOUNT, field="settings.service_account")
    if settings.cache_lookup_scope not in _CACHE_SCOPES:
        raise InvalidArgument(
            f"the scope {settings.cache_lookup_scope!r} is not known",
            reason="INVALID_SETTING",
            field="settings.cache_lookup_scope",
            mend="Use 'project-domain' or 'global'.",
        )
    if 0 < settings.max_action_concurrency < MIN_ACTION_CONCURRENCY:
        raise InvalidArgument(
            "with a single action at once a parent would wait for its own child for ever",
            reason="INVALID_SETTING",
            field="settings.max_action_concurrency",
            limit=f"at least {MIN_ACTION_CONCURRENCY}",
            mend="Use a larger number, or 0 for no limit.",
        )
    if settings.trace_parent and TraceContext.parse(settings.trace_parent) is None:
        raise InvalidArgument(
            f"{settings.trace_parent[:100]!r} is no W3C traceparent",
            reason="INVALID_SETTING",
            field="settings.trace_parent",
            mend="Use 00-<32 hexadecimal digits>-<16 hexadecimal digits>-01, or leave it out.",
        )
    if settings.force_actions and not settings.HasField("recover_from"):
        raise InvalidArgument(
            "only a recovery can force actions to run again",
            reason="INVALID_SETTING",
            field="settings.force_actions",
            mend="Set recover_from, or leave force_actions empty.",
        )


def check_task(spec: TaskSpec, *, field: str = "spec") -> None:
    """Check a task spec as a whole. Raises InvalidArgument."""
    _check_size(spec.ByteSize(), most=MOST_TASK_BYTES, field=field)
    with spec_rules(field):
        refuse_invalid_task(spec)


def _check_size(size: int, *, most: int, field: str) -> None:
    if size > most:
        raise InvalidArgument(
            f"it has {size} bytes",
            reason="TOO_LARGE",
            field=field,
            limit=f"{most // 1024} KiB",
            mend="Keep large data in files or in the inputs.",
        )
