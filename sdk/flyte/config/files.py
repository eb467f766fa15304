"""Which configuration file holds, and what is in it.

The first that exists wins: `./config.yaml`, `./.flyte/config.yaml`, `.flyte/config.yaml` at the root of the git
repository, `$UCTL_CONFIG`, `$FLYTECTL_CONFIG`, `~/.union/config.yaml`, `~/.flyte/config.yaml`. A file named on purpose
must exist; one that cannot be read is an error, never skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_SECTIONS: Final = frozenset({"admin", "console", "task", "image", "local"})
_NEAR: Final = 0.85
"""How alike two names are, from 0 to 1, of which one is taken for a slip of the other."""


class ConfigFileMissing(FileNotFoundError, ValueError):
    """A configuration file that was named is not there; a ValueError, as what is wrong with the content of one is."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that was read."""

    path: Path
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> ConfigFile:
        """Read a YAML file.

        Raises ValueError naming the file if it is not YAML or not a mapping of sections.
        """
        import yaml

        try:
            content = yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            raise ValueError(f"Configuration file {path} is not YAML: {error}") from error
        except OSError as error:
            raise ValueError(f"Configuration file {path} cannot be read: {error.strerror}") from error
        if not isinstance(content, dict):
            raise ValueError(f"Configuration file {path} must hold sections such as 'admin' and 'task'")
        for name in content.keys() - _SECTIONS:
            refuse_near(str(name), _SECTIONS, what=f"Section {name!r} of configuration file {path}")
        known = {name: section for name, section in content.items() if name in _SECTIONS}
        for name, section in known.items():
            if section is not None and not isinstance(section, dict):
                raise ValueError(f"Section {name!r} of configuration file {path} must hold options, got {section!r}")
        return cls(path=path, sections={name: section or {} for name, section in known.items()})

    def get(self, section: str, option: str) -> Any:
        """Return what the file says, None if nothing."""
        return self.sections.get(section, {}).get(option)


def refuse_near(name: str, known: Iterable[str], *, what: str) -> None:
    """Raise ValueError for a name that is nearly a known one: nobody meant it to be passed over in silence."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    if near:
        raise ValueError(f"{what} is not known. Did you mean {near[0]!r}?")


def get_config_file(c: str | Path | ConfigFile | None = None) -> ConfigFile | None:
    """Return the named file, or else the first of the search order that exists; None if there is none.

    Raises ConfigFileMissing if the named file does not exist, ValueError if a file cannot be read.
    """
    if isinstance(c, ConfigFile):
        return c
    if c is not None:
        if not Path(c).is_file():
            raise ConfigFileMissing(f"Configuration file {c} does not exist")
        return ConfigFile.read(Path(c))
    found = next((candidate for candidate in search_order() if candidate.is_file()), None)
    return None if found is None else ConfigFile.read(found)


def search_order(*, start: Path | None = None) -> Iterator[Path]:
    """Yield the places where a configuration file may lie, the strongest first."""
    here = start or Path.cwd()
    yield here / "config.yaml"
    yield here / ".flyte" / "config.yaml"
    if (root := repository_root(here)) is not None:
        yield root / ".flyte" / "config.yaml"
    for variable in ("UCTL_CONFIG", "FLYTECTL_CONFIG"):
        if named := os.environ.get(variable):
            yield Path(named)
    yield Path.home() / ".union" / "config.yaml"
    yield Path.home() / ".flyte" / "config.yaml"


def repository_root(here: Path) -> Path | None:
    """Return the nearest folder upwards that is the root of a git repository, None if there is none."""
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), None)
