"""Task plugins: another kind of task template for each type of `plugin_config`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyte.authoring.function_task import AsyncFunctionTaskTemplate
from flyte.spec.problems import InvalidSetting

if TYPE_CHECKING:
    from flyte.spec.settings import TaskSettings


class _Registry:
    """Which template serves which type of configuration."""

    def __init__(self) -> None:
        self._templates: dict[type, type[AsyncFunctionTaskTemplate[Any, Any, Any]]] = {}

    def register(self, config_type: type, plugin: type[AsyncFunctionTaskTemplate[Any, Any, Any]]) -> None:
        """Make tasks with a `plugin_config` of this type with a template class of the plugin's."""
        self._templates[config_type] = plugin

    def find(self, config_type: type) -> type[AsyncFunctionTaskTemplate[Any, Any, Any]] | None:
        """Return the template class for a type of configuration, or None."""
        return self._templates.get(config_type)

    def list_plugins(self) -> list[type]:
        """Return the types of configuration that plugins are registered for."""
        return list(self._templates)

    def template_for(self, plugin_config: object) -> type[AsyncFunctionTaskTemplate[Any, Any, Any]]:
        """Return the template class for a configuration, the usual one for None.

        Raises InvalidSetting, a ValueError, if no plugin takes it.
        """
        if plugin_config is None:
            return AsyncFunctionTaskTemplate
        template = self.find(type(plugin_config))
        if template is None:
            raise InvalidSetting(
                f"No task plugin found for config type {type(plugin_config)}. Import the package that defines it, or "
                "register one with flyte.extend.TaskPluginRegistry.register(...).",
                field="plugin_config",
            )
        return template

    def make(
        self, *, func: Any, name: str, environment: Any, settings: TaskSettings, given: dict[str, Any]
    ) -> AsyncFunctionTaskTemplate[Any, Any, Any]:
        """Make a task of a function with the template that serves the configuration in its settings."""
        template = self.template_for(settings.plugin_config.value)
        return template(func=func, name=name, environment=environment, settings=settings, **given)

    def __repr__(self) -> str:
        return f"TaskPluginRegistry(plugins={[kind.__name__ for kind in self._templates]})"


TaskPluginRegistry: Final = _Registry()
"""The registry of this process."""
