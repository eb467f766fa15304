"""What holds for all actions of a local run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flyte.local.cache import ResultCache
from flyte.local.secrets import LocalSecrets
from flyte.local.variables import VariableLayers


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRunSettings:
    """The settings of one run."""

    name: str
    project: str
    domain: str
    folder: str
    """Where the run keeps its data, an own folder for each action."""

    start_time: datetime
    cache: ResultCache
    reservations_folder: Path | None = None
    """Where other processes see what is being computed; None: only this process does."""

    secrets: LocalSecrets
    variables: VariableLayers
    env_vars: Mapping[str, str] = field(default_factory=dict)
    raw_data_path: str | None = None
    overwrite_cache: bool = False
    disable_cache: bool = False
    cache_scope: str = ""
