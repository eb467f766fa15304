"""What kinds of tasks of the peer SDK tell plugins of their backend.

This platform runs every task in a worker and has no such plugins. The methods are here so that templates which extend
them load and run locally; a platform refuses a task that depends on one of them, since it would be ignored there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyte.spec.problems import InvalidSetting

if TYPE_CHECKING:
    from flyte.authoring.serialization_context import SerializationContext
    from flyte.authoring.task import TaskTemplate


class BackendHooks:
    """Overridden by templates for a backend plugin; nothing by default."""

    def config(self, sctx: SerializationContext) -> dict[str, str]:
        """Return texts for the plugin."""
        return {}

    def custom_config(self, sctx: SerializationContext) -> dict[str, Any]:
        """Return settings for the plugin."""
        return {}

    def container_args(self, serialize_context: SerializationContext) -> list[str]:
        """Return the arguments of the container; workers of this platform have arguments of their own."""
        return []

    def data_loading_config(self, sctx: SerializationContext) -> Any:
        """Return how data is copied beside a container that knows nothing of the SDK."""
        return None

    def sql(self, sctx: SerializationContext) -> str | None:
        """Return the statement that the plugin runs."""
        return None


_HOOKS: Final = tuple(name for name in vars(BackendHooks) if not name.startswith("_"))


def refuse_what_would_be_ignored(task: TaskTemplate[Any, Any, Any]) -> None:
    """Raise InvalidSetting for a task that only another backend could carry out as it says."""
    kind = type(task)
    own = {hook: getattr(kind, hook) for hook in _HOOKS}
    for hook, own_hook in own.items():
        if callable(own_hook) and own_hook is not getattr(BackendHooks, hook):
            raise InvalidSetting(
                f"{task.name} is a {kind.__name__}, whose {hook}() is meant for a plugin of a backend. This platform "
                "has none: do the work in execute(), pre() and post(), which run in a worker, or run it locally.",
                field="plugin_config",
            )
    if task.task_resolver is not None:
        raise InvalidSetting(
            f"task_resolver of {task.name}: workers find a task by the module and name that it has. Leave it out.",
            field="task_resolver",
        )
    if task.produces_artifacts:
        raise InvalidSetting(
            f"produces_artifacts of {task.name}: this platform keeps no artifacts. Leave it out, and read outputs with "
            "flyte.remote.Run.get(name).outputs().",
            field="produces_artifacts",
        )
