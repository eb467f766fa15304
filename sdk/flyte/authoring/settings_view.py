"""The settings of a task as plain attributes: `task.retries` rather than `task.settings.retries.value`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte.spec.cache import Cache
    from flyte.spec.documentation import Documentation
    from flyte.spec.image import Image
    from flyte.spec.pod_template import PodTemplateRequest
    from flyte.spec.resources import Resources
    from flyte.spec.retries import RetryStrategy
    from flyte.spec.reuse import ReusePolicy
    from flyte.spec.secrets import SecretRequest
    from flyte.spec.settings import TaskSettings
    from flyte.spec.timeouts import TimeoutType
    from flyte.spec.triggers import Trigger


class SettingsView:
    """Read access to the values of resolved settings."""

    _settings: TaskSettings

    @property
    def settings(self) -> TaskSettings:
        """All settings, each with the level that it came from."""
        return self._settings

    @property
    def short_name(self) -> str:
        """The friendly name, for display."""
        return self._settings.short_name.value

    @property
    def image(self) -> str | Image | None:
        """The container image."""
        return self._settings.image.value

    @property
    def resources(self) -> Resources | None:
        """The resources of the container; None for the platform's default."""
        return self._settings.resources.value

    @property
    def env_vars(self) -> dict[str, str] | None:
        """The environment variables of the container."""
        return self._settings.env_vars.value

    @property
    def secrets(self) -> SecretRequest | None:
        """The secrets, as they were given."""
        return self._settings.secrets.value

    @property
    def service_account(self) -> str | None:
        """The Kubernetes service account."""
        return self._settings.service_account.value

    @property
    def cache(self) -> Cache:
        """How results are cached."""
        return self._settings.cache.value

    @property
    def pod_template(self) -> PodTemplateRequest | None:
        """The pod template, as it was given."""
        return self._settings.pod_template.value

    @property
    def reusable(self) -> ReusePolicy | None:
        """The reuse policy; None when every attempt gets a fresh container."""
        return self._settings.reusable.value

    @property
    def queue(self) -> str | None:
        """The queue that the task names; None leaves it to the run."""
        return self._settings.queue.value

    @property
    def interruptible(self) -> bool:
        """Whether the task may run where it can be interrupted at any time."""
        return self._settings.interruptible.value

    @property
    def plugin_config(self) -> Any:
        """The configuration of the task's plugin."""
        return self._settings.plugin_config.value

    @property
    def report(self) -> bool:
        """Whether the task writes a report."""
        return self._settings.report.value

    @property
    def max_inline_io_bytes(self) -> int:
        """The most that all inputs, or all outputs, may weigh inline."""
        return self._settings.max_inline_io_bytes.value

    @property
    def retries(self) -> RetryStrategy:
        """How often and how fast failures of the task are tried again."""
        return self._settings.retries.value

    @property
    def timeout(self) -> TimeoutType:
        """The bounds on the time of an action, as they were given."""
        return self._settings.timeout.value

    @property
    def docs(self) -> Documentation | str | None:
        """The documentation; the function's docstring unless something else was given."""
        return self._settings.docs.value

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """The triggers that are deployed with the task."""
        return self._settings.triggers.value

    @property
    def links(self) -> tuple[Any, ...]:
        """The links that are shown on actions."""
        return self._settings.links.value

    @property
    def task_resolver(self) -> Any:
        """How a worker finds the task; None for the usual way, by module and name."""
        return self._settings.task_resolver.value

    @property
    def entrypoint(self) -> bool:
        """Whether the task is meant to be started by people."""
        return self._settings.entrypoint.value

    @property
    def produces_artifacts(self) -> bool:
        """Whether outputs are registered as artifacts."""
        return self._settings.produces_artifacts.value
