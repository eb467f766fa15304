"""Turns a file and the environment into a `Config`. `FLYTE_<SECTION>_<OPTION>` wins over the file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from flyte.config.files import ConfigFile, get_config_file, refuse_near
from flyte.config.values import Config, ImageConfig, LocalConfig, PlatformConfig, TaskConfig

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


def auto(config_file: str | Path | ConfigFile | None = None) -> Config:
    """Return the configuration that holds in this folder and environment.

    Raises ValueError for a file that is named but missing, for one that cannot be read, and for a value that is not
    what its option takes.
    """
    return read(get_config_file(config_file), environment=os.environ)


def read(file: ConfigFile | None, *, environment: Mapping[str, str]) -> Config:
    """Return the configuration of a file (None: no file) under an environment."""
    source = _Source(file=file, environment=environment)
    config = Config(
        platform=PlatformConfig(
            endpoint=source.text("admin", "endpoint"),
            insecure=source.flag("admin", "insecure"),
            ca_cert_file_path=source.text("admin", "caCertFilePath"),
            insecure_skip_verify=bool(source.flag("admin", "insecureSkipVerify")),
            api_key=environment.get("FLYTE_API_KEY") or source.text("admin", "apiKey"),
            api_key_file=source.path("admin", "apiKeyFile"),
            command=source.words("admin", "command"),
            http_proxy_url=source.text("admin", "httpProxyURL"),
        ),
        task=TaskConfig(
            org=source.text("task", "org"),
            project=source.text("task", "project"),
            domain=source.text("task", "domain"),
        ),
        image=ImageConfig(
            builder=source.text("image", "builder"),
            image_refs=source.image_refs(),
            registry=source.text("image", "registry"),
        ),
        local=LocalConfig(persistence=bool(source.flag("local", "persistence"))),
        source=file.path if file is not None else None,
    )
    source.refuse_misspelt()
    return config


class _Source:
    """One option at a time, from the environment or else from the file."""

    def __init__(self, *, file: ConfigFile | None, environment: Mapping[str, str]) -> None:
        self._file = file
        self._environment = environment
        self._asked: set[tuple[str, str]] = set()

    def text(self, section: str, option: str) -> str | None:
        value = self._value(section, option)
        return None if value is None or value == "" else str(value)

    def flag(self, section: str, option: str) -> bool | None:
        value = self._value(section, option)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError(f"{section}.{option} must be true or false, got {value!r}")
        return word in _TRUE

    def path(self, section: str, option: str) -> Path | None:
        value = self.text(section, option)
        return None if value is None else Path(value).expanduser()

    def words(self, section: str, option: str) -> tuple[str, ...]:
        """A command: a list of words, or a line as in a shell."""
        value = self._value(section, option)
        if isinstance(value, list):
            return tuple(map(str, value))
        return tuple(shlex.split(str(value))) if value else ()

    def image_refs(self) -> dict[str, str]:
        self._asked.add(("image", "image_refs"))
        value = (self._file.get("image", "image_refs") if self._file is not None else None) or {}
        if not isinstance(value, dict):
            raise ValueError(f"image.image_refs must map names to images, got {value!r}")
        return {str(name): str(uri) for name, uri in value.items()}

    def refuse_misspelt(self) -> None:
        """Raise ValueError for an option of the file that is nearly one of ours.

        What is otherwise unknown is left alone: files of the peer SDK have options for what this platform has not.
        """
        sections = {} if self._file is None else self._file.sections
        for section, options in sections.items():
            known = [option for of, option in self._asked if of == section]
            for option in options.keys() - set(known):
                refuse_near(str(option), known, what=f"{section}.{option} of configuration file {self._path}")

    @property
    def _path(self) -> Path | None:
        return None if self._file is None else self._file.path

    def _value(self, section: str, option: str) -> Any:
        self._asked.add((section, option))
        spelled = self._environment.get(f"FLYTE_{section}_{option}".upper())
        if spelled is not None:
            return spelled
        return self._file.get(section, option) if self._file is not None else None
