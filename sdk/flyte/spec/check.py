"""The strict reading of a task's settings: what is accepted here can be enforced.

The authoring surface is as lenient as the peer's, so that programs load. Before a run or a deployment is sent, and
again where it is received, `check_settings` refuses everything that could not be kept, naming the field, the limit
and the mend. Nothing is ignored silently.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flyte.spec.environment_variables import check_env_vars
from flyte.spec.limits import MAX_TRIGGERS
from flyte.spec.names import NameKind, check_name
from flyte.spec.pod_template import PodTemplate, normalise_pod_template
from flyte.spec.problems import InvalidSetting
from flyte.spec.resources import ResourceAmounts, Resources
from flyte.spec.secrets import Secret, normalise_secrets
from flyte.spec.settings import TaskSettings
from flyte.spec.timeouts import TimeoutBounds, timeout_bounds
from flyte.spec.trigger_rules import check_trigger


@dataclass(frozen=True, slots=True)
class CheckedSettings:
    """The settings of a task whose written form has to be read: numbers, secrets and templates."""

    resources: ResourceAmounts
    timeout: TimeoutBounds
    secrets: tuple[Secret, ...]
    pod_template: str | PodTemplate | None
    env_vars: dict[str, str] = field(default_factory=dict)


def check_settings(settings: TaskSettings) -> CheckedSettings:
    """Return the strict reading of a task's settings.

    Raises InvalidSetting or InvalidSettingType, both with the field, for the first that could not be kept.
    """
    checked = CheckedSettings(
        resources=(settings.resources.value or Resources()).amounts(),
        timeout=timeout_bounds(settings.timeout.value),
        secrets=normalise_secrets(settings.secrets.value),
        pod_template=normalise_pod_template(settings.pod_template.value),
        env_vars=check_env_vars(settings.env_vars.value or {}),
    )
    _refuse_shared_names(checked)
    if settings.queue.value is not None:
        check_name(settings.queue.value, kind=NameKind.QUEUE, field="queue")
    if settings.service_account.value is not None:
        check_name(settings.service_account.value, kind=NameKind.SERVICE_ACCOUNT, field="service_account")
    if settings.short_name.value:
        check_name(settings.short_name.value, kind=NameKind.SHORT_NAME, field="short_name")
    _check_triggers(settings)
    return checked


def _check_triggers(settings: TaskSettings) -> None:
    triggers = settings.triggers.value
    if len(triggers) > MAX_TRIGGERS:
        raise InvalidSetting(f"triggers has {len(triggers)} entries; the limit is {MAX_TRIGGERS}.", field="triggers")
    seen: set[str] = set()
    for trigger in triggers:
        check_trigger(trigger)
        if trigger.name in seen:
            raise InvalidSetting(f"triggers has two with the name {trigger.name!r}. Rename one.", field="triggers.name")
        seen.add(trigger.name)


def _refuse_shared_names(checked: CheckedSettings) -> None:
    shared = sorted({secret.as_env_var for secret in checked.secrets if secret.as_env_var} & checked.env_vars.keys())
    if shared:
        raise InvalidSetting(
            f"{', '.join(shared)} is set by env_vars and by a secret. Give the secret another as_env_var=.",
            field="env_vars",
        )
