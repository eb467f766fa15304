"""`flyte.init` and its relatives: they set the settings of the process, and everybody else asks for them here.

The endpoint is the one that is given, else the one of the configuration (file or `FLYTE_ADMIN_ENDPOINT`), else the one
of the platform that runs on this machine. Without any, the process stays without a platform and runs are local.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from flyte.client.settings import DEFAULT_DOMAIN, DEFAULT_PROJECT, ClientSettings, settings_from_config
from flyte.config import Config, PlatformConfig, auto
from flyte.syncify import syncify

_settings: ClientSettings | None = None


def current_settings() -> ClientSettings | None:
    """Return the settings of this process; None before any `flyte.init...`."""
    return _settings


def set_settings(settings: ClientSettings | None) -> None:
    """Replace the settings of this process; None forgets them."""
    global _settings
    _settings = settings
    from flyte.client.file_uploads import PlatformUploads
    from flyte.io.placement import set_uploads

    set_uploads(None if settings is None or settings.endpoint is None else PlatformUploads(settings))


def require_settings() -> ClientSettings:
    """Return settings that name a platform.

    Raises InitializationError if the process was not initialised or knows no platform.
    """
    from flyte.errors import InitializationError

    if _settings is None:
        raise InitializationError(
            "ClientNotInitializedError",
            "user",
            "Client has not been initialized. Call flyte.init() with a valid endpoint, or flyte.init_from_config(), "
            "before using this function.",
        )
    if _settings.endpoint is None:
        raise InitializationError(
            "ClientNotInitializedError",
            "user",
            "No Flyteplane platform is configured and none runs on this machine. Start one with `flyte up`, or name "
            "one with flyte.init(endpoint=...) or FLYTE_ADMIN_ENDPOINT.",
        )
    return _settings


def is_control_plane_available() -> bool:
    """Tell whether `flyte.run` would submit to a platform rather than run here."""
    return _settings is not None and _settings.endpoint is not None


@syncify
async def init(
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    root_dir: str | Path | None = None,
    *,
    endpoint: str | None = None,
    insecure: bool | None = None,
    ca_cert_file_path: str | None = None,
    api_key: str | None = None,
    log_level: int | None = None,
    **unused: Any,
) -> None:
    """Choose the platform, project and domain of this process.

    Without `endpoint` the environment and then the platform of this machine decide; if there is neither, runs are
    local. Options of the peer SDK that have no meaning here (authentication flows, image builders, ...) are accepted
    only while they are unset or false.

    Raises TypeError for an unknown option that is set.
    """
    _refuse_unsupported(unused)
    _set_log_level(log_level)
    config = Config(platform=_platform_of_environment())
    settings = settings_from_config(config, endpoint=endpoint, project=project, domain=domain)
    set_settings(
        replace(
            settings,
            insecure=insecure if insecure is not None else settings.insecure,
            ca_cert_file_path=ca_cert_file_path or settings.ca_cert_file_path,
            api_key=api_key or settings.api_key,
            org=org or settings.org,
            root_dir=_folder(root_dir),
        )
    )


@syncify
async def init_from_config(
    path_or_config: str | Path | Config | None = None,
    root_dir: str | Path | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    log_level: int | None = None,
    **unused: Any,
) -> None:
    """Read a configuration (see `flyte.config`) and choose what it says.

    Raises ValueError for a file that is named but missing, or that cannot be read.
    """
    _refuse_unsupported(unused)
    _set_log_level(log_level)
    config = path_or_config if isinstance(path_or_config, Config) else auto(path_or_config)
    settings = settings_from_config(config, project=project, domain=domain)
    set_settings(replace(settings, org=org or settings.org, root_dir=_folder(root_dir)))


@syncify
async def init_from_api_key(
    api_key: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    root_dir: str | Path | None = None,
    *,
    endpoint: str | None = None,
    ca_cert_file_path: str | None = None,
    log_level: int | None = None,
    **unused: Any,
) -> None:
    """Authenticate with an API key, by default the one in `FLYTE_API_KEY`.

    Raises InitializationError if there is none.
    """
    key = api_key or os.environ.get("FLYTE_API_KEY")
    if not key:
        from flyte.errors import InitializationError

        raise InitializationError("MissingApiKeyError", "user", "No API key: give api_key=... or set FLYTE_API_KEY.")
    await init.aio(
        project=project,
        domain=domain,
        root_dir=root_dir,
        endpoint=endpoint,
        ca_cert_file_path=ca_cert_file_path,
        api_key=key,
        log_level=log_level,
        **unused,
    )


@syncify
async def init_in_cluster(
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    *,
    api_key: str | None = None,
    endpoint: str | None = None,
    insecure: bool | None = None,
) -> dict[str, Any]:
    """Initialise from what a worker is told by its environment, and return what was found."""
    found: dict[str, Any] = {
        "org": org or os.environ.get("FLYTE_INTERNAL_EXECUTION_ORG"),
        "project": project or os.environ.get("FLYTE_INTERNAL_EXECUTION_PROJECT"),
        "domain": domain or os.environ.get("FLYTE_INTERNAL_EXECUTION_DOMAIN"),
        "endpoint": endpoint,
        "insecure": insecure,
        "api_key": api_key,
    }
    await init.aio(**found)
    return {key: value for key, value in found.items() if value is not None}


@syncify
async def init_passthrough(
    endpoint: str | None = None,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    *,
    insecure: bool | None = None,
) -> dict[str, Any]:
    """Initialise for calls whose credentials come with each call, and return what was found."""
    found: dict[str, Any] = {
        "org": org,
        "project": project,
        "domain": domain,
        "endpoint": endpoint,
        "insecure": insecure,
    }
    await init.aio(**found)
    return {key: value for key, value in found.items() if value is not None}


def current_project() -> str:
    """Return the project that this code belongs to: its task's, or else the one chosen with `flyte.init`."""
    return _of_task("project") or (_settings.project if _settings is not None else DEFAULT_PROJECT)


def current_domain() -> str:
    """Return the domain that this code belongs to: its task's, or else the one chosen with `flyte.init`."""
    return _of_task("domain") or (_settings.domain if _settings is not None else DEFAULT_DOMAIN)


def _of_task(field: str) -> str | None:
    from flyte import ctx

    action = getattr(ctx(), "action", None)
    return getattr(action, field, None)


def _platform_of_environment() -> PlatformConfig:
    from flyte.config.reading import read

    return read(None, environment=os.environ).platform


def _refuse_unsupported(options: dict[str, Any]) -> None:
    known = {name for name, value in options.items() if value in (None, False) or name in _HARMLESS}
    refused = sorted(set(options) - known)
    if refused:
        raise TypeError(f"flyte.init does not support {', '.join(refused)} on this platform")


_HARMLESS = frozenset(
    {
        "auth_type",
        "batch_size",
        "disable_keyring",
        "headless",
        "image_builder",
        "log_format",
        "reset_root_logger",
        "rpc_retries",
        "sync_local_sys_paths",
        "user_log_level",
    }
)
"""Options of the peer that change nothing a run could notice here."""


def _set_log_level(level: int | None) -> None:
    if level is not None:
        import logging

        logging.getLogger("flyte").setLevel(level)


def _folder(root_dir: str | Path | None) -> Path | None:
    return None if root_dir is None else Path(root_dir).expanduser().resolve()
