"""What a configuration can say, as plain values with the SDK's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformConfig:
    """How to reach the platform (section `admin`)."""

    endpoint: str | None = None
    """`unix:PATH`, `HOST:PORT`, `dns:///HOST:PORT` or `https://HOST:PORT`. None: the platform of this machine."""

    insecure: bool | None = None
    """True: no TLS. None: no TLS for a socket and for this machine's own addresses, TLS for all others."""

    ca_cert_file_path: str | None = None
    insecure_skip_verify: bool = False
    api_key: str | None = field(default=None, repr=False)
    api_key_file: Path | None = None
    command: tuple[str, ...] = ()
    """Program and arguments that print a token of an identity provider."""

    http_proxy_url: str | None = None
    """`http://HOST:PORT` of a proxy that connections to the platform go through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskConfig:
    """Where runs go (section `task`)."""

    org: str | None = None
    project: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """Names for images (section `image`)."""

    builder: str | None = None
    image_refs: Mapping[str, str] = field(default_factory=dict)
    registry: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """Local mode (section `local`)."""

    persistence: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration."""

    platform: PlatformConfig = field(default_factory=PlatformConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    image: ImageConfig = field(default_factory=ImageConfig)
    local: LocalConfig = field(default_factory=LocalConfig)
    source: Path | None = None
    """The file it came from; None if there was none."""

    def with_params(
        self,
        platform: PlatformConfig | None = None,
        task: TaskConfig | None = None,
        image: ImageConfig | None = None,
    ) -> Config:
        """Return a copy with the given sections in place of its own."""
        return replace(self, platform=platform or self.platform, task=task or self.task, image=image or self.image)

    @classmethod
    def auto(cls, config_file: str | Path | None = None) -> Config:
        """Return the configuration that holds here, see `flyte.config.auto`."""
        from flyte.config.reading import auto

        return auto(config_file)


def set_if_exists(d: dict[str, Any], k: str, val: Any) -> dict[str, Any]:
    """Set a key of a mapping unless the value is None or a string of nothing, and return the mapping."""
    if val is not None and val != "":
        d[k] = val
    return d
