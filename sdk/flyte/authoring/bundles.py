"""Where code and data of a run are: code bundles, raw data, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from flyte.authoring.identity import generate_random_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBundle:
    """The code of a run: an archive (`tgz`) or a pickle (`pkl`), addressed by its version."""

    computed_version: str
    destination: str = "."
    tgz: str | None = None
    pkl: str | None = None
    downloaded_path: Path | None = None
    files: list[str] | None = None

    def __post_init__(self) -> None:
        if self.tgz is None and self.pkl is None and self.downloaded_path is None:
            raise ValueError("A code bundle needs tgz (an archive) or pkl (a pickle).")

    def with_downloaded_path(self, path: Path) -> CodeBundle:
        """Return the same bundle, now on this machine."""
        return replace(self, downloaded_path=path)


@dataclass(frozen=True, slots=True)
class PathRewrite:
    """Data below one prefix is read below another."""

    old_prefix: str
    new_prefix: str

    def __post_init__(self) -> None:
        if not self.old_prefix or not self.new_prefix:
            raise ValueError("Neither prefix of a path rewrite can be empty.")

    @classmethod
    def from_str(cls, pattern: str) -> PathRewrite:
        """Read 'old->new'. Raises ValueError for any other form."""
        old, arrow, new = pattern.partition("->")
        if not arrow or not old or not new:
            raise ValueError(f"Invalid path rewrite {pattern!r}. Write 'old_prefix->new_prefix'.")
        return cls(old, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDataPath:
    """Where the data of an action is written."""

    path: str
    path_rewrite: PathRewrite | None = None

    @classmethod
    def from_local_folder(cls, local_folder: str | Path | None = None) -> RawDataPath:
        """Make one of a folder on this machine, by default a new temporary one."""
        import tempfile

        return cls(path=str(local_folder or tempfile.mkdtemp(prefix="flyte-")))

    def get_random_remote_path(self, file_name: str | None = None) -> str:
        """Return a path below this one that nothing else uses."""
        return "/".join((self.path.rstrip("/"), generate_random_name(), *([file_name] if file_name else [])))


@dataclass(frozen=True, slots=True)
class CheckpointPaths:
    """Where an attempt keeps its checkpoint, and where the attempt before kept its own."""

    prev_checkpoint_path: str | None
    checkpoint_path: str | None
