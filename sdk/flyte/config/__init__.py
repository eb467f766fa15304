"""Where the SDK learns which platform to speak to: configuration files and `FLYTE_*` environment variables.

`flyte.config.auto()` finds the file, reads it and lets environment variables win. Nothing here connects to anything.
"""

from __future__ import annotations

from flyte.config.files import ConfigFile, get_config_file, search_order
from flyte.config.reading import auto
from flyte.config.values import Config, ImageConfig, LocalConfig, PlatformConfig, TaskConfig, set_if_exists

__all__ = [
    "Config",
    "ConfigFile",
    "ImageConfig",
    "LocalConfig",
    "PlatformConfig",
    "TaskConfig",
    "auto",
    "get_config_file",
    "search_order",
    "set_if_exists",
]
