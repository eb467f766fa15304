"""What a run is started with: the parameters of `with_runcontext`, checked before anything is sent.

Every parameter is either kept or refused with its name; none is silently left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from flyte.client.bundle import CopyStyle, check_copy_style
from flyte.spec.environment_variables import check_env_vars
from flyte.spec.names import NameKind, check_name
from flyte.spec.pod_metadata import check_pod_annotations, check_pod_labels
from flyte.spec.problems import InvalidSetting, InvalidSettingType

if TYPE_CHECKING:
    from flyte.spec.notification_kinds import Notifications

Mode = Literal["local", "remote", "hybrid"]
CacheLookupScope = Literal["global", "project-domain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The settings of one run."""

    mode: Mode | None = None
    name: str | None = None
    service_account: str | None = None
    version: str | None = None
    copy_style: CopyStyle = "loaded_modules"
    dry_run: bool = False
    copy_bundle_to: Path | None = None
    interactive_mode: bool | None = None
    raw_data_path: str | None = None
    run_base_dir: str | None = None
    run_start_time: datetime | None = None
    overwrite_cache: bool = False
    project: str | None = None
    domain: str | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    interruptible: bool | None = None
    disable_run_cache: bool = False
    queue: str | None = None
    max_action_concurrency: int | None = None
    custom_context: Mapping[str, str] = field(default_factory=dict)
    cache_lookup_scope: CacheLookupScope = "project-domain"
    notifications: Notifications = None

    def __post_init__(self) -> None:
        _check_mode(self)
        if self.copy_style == "custom":
            raise InvalidSetting(
                "copy_style='custom' is not yet supported through with_runcontext.", field="copy_style"
            )
        check_copy_style(self.copy_style)
        if self.copy_style == "none" and not self.version:
            raise InvalidSetting("Version must be set when copy_style is none", field="version")
        _check_names(self)
        check_env_vars(self.env_vars)
        check_pod_labels(self.labels)
        check_pod_annotations(self.annotations)
        _check_texts(self.custom_context, field="custom_context")
        if self.notifications is not None:
            from flyte.spec.notification_kinds import checked_notifications

            checked_notifications(self.notifications)
        _check_concurrency(self.max_action_concurrency)
        if self.run_start_time is not None and not isinstance(self.run_start_time, datetime):
            raise InvalidSettingType(
                f"run_start_time must be a datetime, got {type(self.run_start_time)}", field="run_start_time"
            )
        if self.cache_lookup_scope not in get_args(CacheLookupScope):
            raise InvalidSetting(
                f"cache_lookup_scope must be 'global' or 'project-domain', got {self.cache_lookup_scope!r}",
                field="cache_lookup_scope",
            )
        if self.overwrite_cache and self.disable_run_cache:
            raise InvalidSetting(
                "overwrite_cache and disable_run_cache contradict each other: give one of them", field="overwrite_cache"
            )


def _check_mode(context: RunContext) -> None:
    if context.mode is not None and context.mode not in get_args(Mode):
        raise InvalidSetting(f"mode must be 'local', 'remote' or 'hybrid', got {context.mode!r}", field="mode")
    if context.mode == "hybrid":
        raise InvalidSetting(
            "mode='hybrid' is not supported: run everything here with mode='local' or everything on the platform "
            "with mode='remote'",
            field="mode",
        )


def _check_names(context: RunContext) -> None:
    named: tuple[tuple[str, str | None, NameKind], ...] = (
        ("name", context.name, NameKind.RUN),
        ("project", context.project, NameKind.PROJECT),
        ("domain", context.domain, NameKind.DOMAIN),
        ("queue", context.queue, NameKind.QUEUE),
        ("service_account", context.service_account, NameKind.SERVICE_ACCOUNT),
        ("version", context.version, NameKind.VERSION),
    )
    for parameter, value, kind in named:
        if value is not None:
            check_name(value, kind=kind, field=parameter)


def _check_texts(values: Mapping[str, str], *, field: str) -> None:
    for key, value in values.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InvalidSettingType(f"{field} must map str to str, got {key!r}: {value!r}", field=field)


def _check_concurrency(value: int | None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidSettingType(
            f"max_action_concurrency must be an int, got {type(value)}", field="max_action_concurrency"
        )
    if value < 0 or value == 1:
        raise InvalidSetting(
            f"max_action_concurrency must be 0 (platform default) or at least 2, got {value}. A value of 1 would "
            "deadlock the run: the parent action holds a concurrency slot while waiting for its child actions to run.",
            field="max_action_concurrency",
        )
