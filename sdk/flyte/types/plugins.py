"""Types that other distributions bring: the entry points of the group `flyte.plugins.types`.

Each names a function that registers types with `TypeEngine`, or a module that does so when it is imported. They are
loaded when an annotation is met that nothing here knows, since looking for them costs a scan of what is installed.
"""

from __future__ import annotations

from typing import Final

GROUP: Final = "flyte.plugins.types"

_loaded = False


def decline_type_plugins() -> None:
    """Load no plugins in this process from now on."""
    global _loaded
    _loaded = True


def load_type_plugins() -> None:
    """Load the plugins, once in a process. One that fails is reported and left out."""
    global _loaded
    if _loaded:
        return
    _loaded = True
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        try:
            plugin = entry.load()
            if callable(plugin):
                plugin()
        except Exception as error:
            from flyte.authoring.logs import system_logger

            system_logger.warning("The types of the plugin %r are not available: %r", entry.name, error)
