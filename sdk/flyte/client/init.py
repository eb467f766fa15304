"""`flyte.init` and its relatives: they set the settings of the process, and everybody else asks for them here.

The endpoint is the one that is given, else the one of the configuration (file or `FLYTE_ADMIN_ENDPOINT`), else the one
of the platform that runs on this machine. Without any, the process stays without a platform and runs are local.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyte.authoring.logs import LogSettings, given_format
from flyte.client.settings import BATCH_SIZE, ClientSettings, settings_from_config
from flyte.config import Config, PlatformConfig, auto
from flyte.syncify import syncify
from flyte.types.plugins import decline_type_plugins

if TYPE_CHECKING:
    from flyte.storage import Storage

_MOST_RETRIES: Final = 4
"""gRPC makes no more than five attempts."""

_settings: ClientSettings | None = None


def current_settings() -> ClientSettings | None:
    """Return the settings of this process; None before any `flyte.init...`."""
    return _settings


def set_settings(settings: ClientSettings | None) -> None:
    """Replace the settings of this process; None forgets them."""
    global _settings
    _settings = settings
    from flyte.authoring.image_names import set_image_names
    from flyte.client.file_uploads import PlatformUploads
    from flyte.client.platform_store import SCHEME, PlatformStore
    from flyte.io.placement import set_uploads
    from flyte.storage.routes import add_route, remove_route

    if settings is None:
        set_image_names({})
    else:
        set_image_names(settings.images, registry=settings.image_registry)
    if settings is None or settings.endpoint is None:
        set_uploads(None)
        remove_route(SCHEME)
    else:
        set_uploads(PlatformUploads(settings))
        add_route(SCHEME, PlatformStore())


def require_settings(what: str = "Client") -> ClientSettings:
    """Return settings that name a platform; `what` is named in the error of a process without any.

    Raises InitializationError if the process was not initialised or knows no platform.
    """
    from flyte.errors import InitializationError

    if _settings is None and (in_worker := _settings_of_worker()) is not None:
        return in_worker
    if _settings is None:
        raise _not_initialised(what)
    if _settings.endpoint is None:
        raise InitializationError(
            "ClientNotInitializedError",
            "user",
            "No Flyteplane platform is configured and none runs on this machine. Start one with `flyte up`, name one "
            "with flyte.init(endpoint=...), --endpoint or FLYTE_ADMIN_ENDPOINT, or run without: `flyte run --local`.",
        )
    return _settings


def _settings_of_worker() -> ClientSettings | None:
    """What a task of a platform finds without any `flyte.init...`: its platform, project and domain.

    Never kept: a worker goes on to tasks of other projects.
    """
    if _of_task("run_name") is None or "FLYTE_RUN_NAME" not in os.environ:
        return None
    settings = settings_from_config(auto(), project=_of_task("project"), domain=_of_task("domain"))
    return settings if settings.endpoint is not None else None


def is_control_plane_available() -> bool:
    """Tell whether `flyte.run` would submit to a platform rather than run here."""
    return _settings is not None and _settings.endpoint is not None


@syncify
async def init(
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    root_dir: str | Path | None = None,
    log_level: int | None = None,
    log_format: str | None = None,
    reset_root_logger: bool = False,
    user_log_level: int | None = None,
    endpoint: str | None = None,
    headless: bool = False,
    insecure: bool | None = None,
    insecure_skip_verify: bool = False,
    ca_cert_file_path: str | None = None,
    auth_type: str = "Pkce",
    command: list[str] | None = None,
    proxy_command: list[str] | None = None,
    api_key: str | None = None,
    client_id: str | None = None,
    client_credentials_secret: str | None = None,
    auth_client_config: Any = None,
    rpc_retries: int = 3,
    http_proxy_url: str | None = None,
    disable_keyring: bool = False,
    storage: Storage | None = None,
    batch_size: int = 1000,
    image_builder: str = "local",
    images: Mapping[str, str] | None = None,
    image_registry: str | None = None,
    source_config_path: Path | None = None,
    sync_local_sys_paths: bool = True,
    load_plugin_type_transformers: bool = True,
    local_persistence: bool = False,
    local_tracked: bool = False,
    local_tracked_strict: bool = False,
    scopes: list[str] | None = None,
) -> None:
    """Choose the platform, project and domain of this process.

    - `endpoint`: without it the environment and then the platform of this machine decide; if there is neither, runs
      are local. `insecure=True` leaves TLS out, `ca_cert_file_path` names the authority, `api_key` says who calls.
    - `command`: program and arguments that print a token of the identity provider that the platform trusts.
    - `root_dir`: folder that code bundles are taken from.
    - `image_registry`: where images are pushed and pulled that are built and name no registry.
    - `images`: URIs for the names that `Image.from_ref_name` uses.
    - `image_builder`: what `flyte.build` builds with: "local" (docker or buildah, whichever works), or one of these.
    - `storage`: how the object store is reached from here.
    - `log_level` is that of the SDK, `user_log_level` that of `flyte.logger`; `log_format` is "console" or "json".
    - `http_proxy_url`: "http://HOST:PORT" of a proxy that connections to the platform go through.
    - `rpc_retries`: how often a call is tried again at once while the platform is unavailable, at most 4 times. What
      changes something is asked for again beyond that, for 30 s, of a platform that was there; 0: nothing is repeated.
    - `batch_size`: most entries in one answer of a listing; more are asked for in further calls.
    - `sync_local_sys_paths`: workers import from the folders of the code bundle that this process imports from too.
    - `load_plugin_type_transformers=False`: use no types that installed plugins bring.
    - `auth_type`: "Pkce" (the peer SDK's default) says nothing here: credentials are `api_key`, `command` (with it also
      "ExternalCommand") or those of this machine's platform. `headless` and `disable_keyring` always hold: no browser
      is opened and no keyring used. `local_persistence` always holds as well: `flyte get run --local` lists local runs.
    - The rest belongs to the peer SDK and is refused: other logins, tracked local runs.

    Raises TypeError for an option that is not supported on this platform, ValueError for a number out of its range.
    """
    given = dict(locals())
    _refuse_unsupported({name: given[name] for name in _NOT_SUPPORTED})
    _refuse_login(auth_type, command)
    LogSettings(
        level=log_level, user_level=user_log_level, format=log_format, reset_root_logger=reset_root_logger
    ).apply()
    _configure_storage(storage)
    file = auto(source_config_path) if source_config_path is not None else Config()
    config = file.with_params(platform=_platform_of_environment()) if file.source is None else file
    settings = settings_from_config(config, endpoint=endpoint, project=project, domain=domain)
    set_settings(_with_options(settings, given))
    if not load_plugin_type_transformers:
        decline_type_plugins()


def _with_options(settings: ClientSettings, given: Mapping[str, Any]) -> ClientSettings:
    """The settings with what `init` was given in the place of what they were read from."""
    api_key, command, insecure = given["api_key"], given["command"], given["insecure"]
    builder = given["image_builder"]
    return replace(
        settings,
        insecure=insecure if insecure is not None else settings.insecure,
        ca_cert_file_path=given["ca_cert_file_path"] or settings.ca_cert_file_path,
        insecure_skip_verify=given["insecure_skip_verify"] or settings.insecure_skip_verify,
        api_key=api_key or (None if command else settings.api_key),
        command=() if api_key else tuple(command or settings.command),
        http_proxy_url=given["http_proxy_url"] or settings.http_proxy_url,
        org=given["org"] or settings.org,
        root_dir=_folder(given["root_dir"]),
        images={**settings.images, **(given["images"] or {})},
        image_registry=given["image_registry"] or settings.image_registry,
        image_builder=settings.image_builder if builder == "local" else builder,
        rpc_retries=_within("rpc_retries", given["rpc_retries"], least=0, most=_MOST_RETRIES),
        batch_size=_within("batch_size", given["batch_size"], least=1, most=BATCH_SIZE),
        sync_local_sys_paths=given["sync_local_sys_paths"],
    )


@syncify
async def init_from_config(
    path_or_config: str | Path | Config | None = None,
    root_dir: str | Path | None = None,
    log_level: int | None = None,
    log_format: str = "console",
    user_log_level: int | None = None,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    storage: Storage | None = None,
    batch_size: int = 1000,
    image_builder: str | None = None,
    images: Sequence[str] | None = None,
    sync_local_sys_paths: bool = True,
) -> None:
    """Read a configuration (see `flyte.config`) and choose what it says.

    A relative path is looked for below `root_dir`, if that is given, and then in the working folder. `images` are texts
    such as "name=uri". Raises InitializationError, here also a ValueError, for a file that is named but missing, and
    ValueError for one that cannot be read and for an image without a name.
    """
    LogSettings(level=log_level, user_level=user_log_level, format=given_format(log_format)).apply()
    _configure_storage(storage)
    config = _config_of(path_or_config, root_dir)
    settings = settings_from_config(config, project=project, domain=domain)
    set_settings(
        replace(
            settings,
            org=org or settings.org,
            root_dir=_folder(root_dir),
            images={**settings.images, **dict(map(named_image, images or ()))},
            image_builder=image_builder or settings.image_builder,
            batch_size=_within("batch_size", batch_size, least=1, most=BATCH_SIZE),
            sync_local_sys_paths=sync_local_sys_paths,
        )
    )


@syncify
async def init_from_api_key(
    api_key: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    root_dir: str | Path | None = None,
    log_level: int | None = None,
    log_format: str | None = None,
    storage: Storage | None = None,
    batch_size: int = 1000,
    image_builder: str = "local",
    images: Mapping[str, str] | None = None,
    sync_local_sys_paths: bool = True,
    insecure_skip_verify: bool = False,
    ca_cert_file_path: str | None = None,
    *,
    endpoint: str | None = None,
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
        insecure_skip_verify=insecure_skip_verify,
        ca_cert_file_path=ca_cert_file_path,
        api_key=key,
        log_level=log_level,
        log_format=log_format,
        storage=storage,
        batch_size=batch_size,
        images=images,
        image_builder=image_builder,
        sync_local_sys_paths=sync_local_sys_paths,
    )


@syncify
async def init_in_cluster(
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
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
    insecure: bool | None = None,
) -> dict[str, Any]:
    """Initialise for calls whose credentials come with each call, and return what was found.

    Give them with `flyte.remote.auth_metadata`. Nothing else is sent: not the key of this machine's platform either.
    """
    found: dict[str, Any] = {
        "org": org,
        "project": project,
        "domain": domain,
        "endpoint": endpoint,
        "insecure": insecure,
    }
    await init.aio(**found)
    if _settings is not None:
        set_settings(replace(_settings, passthrough=True))
    return {key: value for key, value in found.items() if value is not None}


def current_project() -> str:
    """Return the project that this code belongs to: its task's, or else the one chosen with `flyte.init`.

    Raises InitializationError outside of a task before any `flyte.init...`.
    """
    return _of_task("project") or _initialised("Project").project


def current_domain() -> str:
    """Return the domain that this code belongs to: its task's, or else the one chosen with `flyte.init`.

    Raises InitializationError outside of a task before any `flyte.init...`.
    """
    return _of_task("domain") or _initialised("Domain").domain


def project_or_default() -> str:
    """Return the current project; the default one in a program that was never initialised."""
    return _of_task("project") or (_settings or ClientSettings()).project


def domain_or_default() -> str:
    """Return the current domain; the default one in a program that was never initialised."""
    return _of_task("domain") or (_settings or ClientSettings()).domain


def is_initialized() -> bool:
    """Tell whether this process was given settings by any `flyte.init...`."""
    return _settings is not None


def _initialised(what: str) -> ClientSettings:
    from flyte.errors import InitializationError

    if _settings is None:
        raise InitializationError(
            f"{what}NotInitializedError",
            "user",
            f"{what} has not been initialized. Call flyte.init() with a valid {what.lower()} before using this function"
            " or Call flyte.init_from_config() with a valid path to the config file",
        )
    return _settings


def _not_initialised(what: str) -> Exception:
    """Return the error in the peer's words, which end early for all but the client: a note has the rest."""
    from flyte.errors import InitializationError

    said = f"{what} has not been initialized. Call flyte.init() with a valid endpoint/api-key before"
    rest = "using this function or Call flyte.init_from_config() with a valid path to the config file"
    if what == "Client":
        return InitializationError("ClientNotInitializedError", "user", f"{said} {rest}")
    error = InitializationError("ClientNotInitializedError", "user", said)
    error.add_note(rest)
    return error


def _of_task(field: str) -> str | None:
    from flyte import ctx

    action = getattr(ctx(), "action", None)
    return getattr(action, field, None)


def _platform_of_environment() -> PlatformConfig:
    from flyte.config.reading import read

    return read(None, environment=os.environ).platform


_NOT_SUPPORTED: Final = (
    *("proxy_command", "client_id", "client_credentials_secret", "scopes"),
    *("auth_client_config", "local_tracked", "local_tracked_strict"),
)
"""Options of `init` that would be ignored although they ask for something."""


def _refuse_unsupported(options: Mapping[str, Any]) -> None:
    refused = sorted(name for name, value in options.items() if value)
    if refused:
        raise TypeError(f"flyte.init does not support {', '.join(refused)} on this platform")


def _config_of(named: str | Path | Config | None, root_dir: str | Path | None) -> Config:
    if named is None or isinstance(named, Config):
        return named or auto()
    path = Path(named).expanduser()
    places = (*([Path(root_dir).expanduser() / path] if root_dir is not None else []), path)
    found = next((place for place in places if place.is_file()), None)
    if found is not None:
        return auto(found)
    from flyte.errors import InitializationError

    class ConfigFileNotFoundError(InitializationError, ValueError):
        """Also a ValueError, as what is wrong with the content of a file is."""

    raise ConfigFileNotFoundError(
        "ConfigFileNotFoundError", "user", f"Configuration file {places[0]} does not exist, seen from {Path.cwd()}."
    )


def _refuse_login(auth_type: str, command: Sequence[str] | None) -> None:
    kind = auth_type.lower().replace("_", "").replace("-", "")
    if kind == "pkce" or (kind == "externalcommand" and command):
        return
    raise TypeError(
        f"flyte.init does not support auth_type={auth_type!r} on this platform. Give api_key=..., or "
        "command=[...], a program that prints a token."
    )


def _within(name: str, value: int, *, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value:
        raise ValueError(f"{name} must be an int of at least {least}, got {value!r}")
    return min(value, most)


def _configure_storage(storage: Storage | None) -> None:
    if storage is None:
        return
    from flyte.storage import Storage, configure

    if not isinstance(storage, Storage):
        raise TypeError(f"Expected storage to be a flyte.storage.Storage such as S3(...), got {type(storage)}")
    configure(storage)


def named_image(text: str) -> tuple[str, str]:
    """Read "name=uri"; a URI alone is the image named "default". Raises ValueError for a part that is missing."""
    name, equals, uri = text.partition("=")
    if not equals:
        return "default", text
    if not name or not uri:
        raise ValueError(f"images: {text!r} names no image. Write 'name=uri'.")
    return name, uri


def _folder(root_dir: str | Path | None) -> Path | None:
    return None if root_dir is None else Path(root_dir).expanduser().resolve()
