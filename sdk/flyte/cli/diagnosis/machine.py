"""What can be seen without a platform: the configuration, the files of this user, the room on the disk."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyte.cli.diagnosis.findings import Finding, fail, ok, warn

if TYPE_CHECKING:
    from flyte.client.settings import ClientSettings

_LITTLE_BYTES: Final = 5 << 30
_TOO_LITTLE_BYTES: Final = 500 << 20
#: Permissions that give others a way in.
_OF_OTHERS: Final = 0o077


def look_at_configuration(settings: ClientSettings, *, source: Path | None) -> Finding:
    """Which file holds, and which platform follows from it."""
    told = f"{source}" if source is not None else "no configuration file"
    if settings.endpoint is None:
        return fail(
            "configuration",
            f"{told}, and no platform runs on this machine",
            mend="Start a platform with `flyte up`, or name one with `flyte create config --endpoint HOST:PORT`.",
        )
    return ok("configuration", f"{told}; endpoint {settings.endpoint}, {settings.project}/{settings.domain}")


def look_at_files(*, configuration: Path | None, platform: Path) -> Iterator[Finding]:
    """Whether others of this machine could read or change what is this user's."""
    if configuration is not None and _holds_a_key(configuration):
        yield _private("configuration file", configuration)
    if not platform.exists():
        return
    yield _private("platform folder", platform)
    if not os.access(platform, os.W_OK | os.X_OK):
        yield fail("platform folder", f"{platform} cannot be written", mend=f"chown {os.getuid()} {platform}")
    for key in sorted((platform / "keys").glob("*")):
        finding = _private("key file", key)
        if finding.level != "ok":
            yield finding


def look_at_disk(folder: Path) -> Finding:
    """Whether there is room where the platform of this machine keeps everything, or would."""
    present = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(present).free
    text = f"{free / 2**30:.1f} GiB free at {present}"
    mend = f"Make room on the disk of {present}, or keep the platform elsewhere: FLYTE_PLATFORM_DATA."
    if free < _TOO_LITTLE_BYTES:
        return fail("disk", text, mend=mend)
    return warn("disk", text, mend=mend) if free < _LITTLE_BYTES else ok("disk", text)


def _private(what: str, path: Path) -> Finding:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return fail(what, f"{path} cannot be read: {error.strerror}", mend=f"chown {os.getuid()} {path}")
    if mode & _OF_OTHERS:
        wanted = "700" if path.is_dir() else "600"
        return warn(what, f"others may enter {path} (mode {mode:03o})", mend=f"chmod {wanted} {path}")
    return ok(what, f"{path} is yours alone")


def _holds_a_key(configuration: Path) -> bool:
    try:
        return "api_key" in configuration.read_text(errors="replace").lower().replace("apikey", "api_key")
    except OSError:
        return True
