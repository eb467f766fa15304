"""What `flyte.init` settles for the process: which platform, which project and domain, which root folder.

The settings are a value; changing one makes a new value. Nothing here connects.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flyte.client.platform_folder import platform_folder, read_platform
from flyte.config import Config

DEFAULT_PROJECT: Final = "flytesnacks"
DEFAULT_DOMAIN: Final = "development"
RPC_TIMEOUT_S: Final = 30.0
RPC_RETRIES: Final = 3
PATIENCE_S: Final = 30.0
BATCH_SIZE: Final = 1000
"""The most that the platform puts on a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How this process speaks to a platform."""

    endpoint: str | None = None
    """None: no platform is configured, and `flyte.run` runs locally."""

    insecure: bool | None = None
    """None: TLS unless the endpoint is a socket or an address of this machine."""

    ca_cert_file_path: str | None = None
    """PEM of the authorities that may vouch for the platform; None: those that gRPC knows."""

    insecure_skip_verify: bool = False
    """Believe whatever certificate the platform has, as long as it has not expired. For trying things out."""

    api_key: str | None = field(default=None, repr=False)
    """Says who calls; see `flyte.client.credentials` for what holds without it."""

    api_key_file: Path | None = None
    """File with the API key."""

    command: tuple[str, ...] = ()
    """Program and arguments that print a token of an identity provider."""

    http_proxy_url: str | None = None
    """`http://HOST:PORT` of a proxy that connections to the platform go through; None: what the environment says."""

    passthrough: bool = False
    """Calls carry the credentials of `flyte.remote.auth_metadata` and no others."""

    project: str = DEFAULT_PROJECT
    domain: str = DEFAULT_DOMAIN
    org: str | None = None
    root_dir: Path | None = None
    """Folder that code bundles are taken from and module names are relative to. None: chosen for each task."""

    images: Mapping[str, str] = field(default_factory=dict)
    """URIs of the images that tasks refer to by name."""

    image_registry: str | None = None
    """Registry of images that are built and name none."""

    image_builder: str = "local"
    """What builds images: "local" (docker or buildah, whichever works), or one of these by name."""

    rpc_timeout_s: float = RPC_TIMEOUT_S

    rpc_retries: int = RPC_RETRIES
    """How often gRPC tries a call again at once while the platform is unavailable, at most 4 times; 0: nothing is ever
    repeated, whatever `patience_s` says."""

    patience_s: float = PATIENCE_S
    """For how long a change is asked for again, under the same request id, of a platform that went away before it
    answered; see `flyte.client.patience`."""

    batch_size: int = BATCH_SIZE
    """The most entries that are asked for at once where the platform lists something."""

    sync_local_sys_paths: bool = True
    """Whether workers import from the same folders of the code bundle as this process does, or from its root only."""


def settings_from_config(
    config: Config, *, endpoint: str | None = None, project: str | None = None, domain: str | None = None
) -> ClientSettings:
    """Return settings: what is given, else what the configuration says, else the platform of this machine.

    The certificate of the platform of this machine is believed without being named.
    """
    chosen = endpoint or config.platform.endpoint or discover_endpoint()
    return ClientSettings(
        endpoint=chosen,
        insecure=config.platform.insecure,
        ca_cert_file_path=config.platform.ca_cert_file_path or _certificate_of_this_machine(chosen),
        insecure_skip_verify=config.platform.insecure_skip_verify,
        api_key=config.platform.api_key,
        api_key_file=config.platform.api_key_file,
        command=config.platform.command,
        http_proxy_url=config.platform.http_proxy_url,
        project=project or config.task.project or DEFAULT_PROJECT,
        domain=domain or config.task.domain or DEFAULT_DOMAIN,
        org=config.task.org,
        images=config.image.image_refs,
        image_registry=config.image.registry,
        image_builder=config.image.builder or "local",
    )


def discover_endpoint() -> str | None:
    """Return the endpoint of the platform of this machine; None if none was started, or it was stopped."""
    running = read_platform(platform_folder())
    return None if running is None else running.endpoint


def _certificate_of_this_machine(endpoint: str | None) -> str | None:
    """Return the file of the certificate of an endpoint; None if it is not that of this machine's platform."""
    if endpoint is None or not endpoint.startswith("https://"):
        return None
    running = read_platform(platform_folder())
    if running is None or running.endpoint != endpoint or not os.access(running.certificate, os.R_OK):
        return None
    return running.certificate
