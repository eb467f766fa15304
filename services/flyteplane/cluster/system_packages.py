"""Which Debian packages this machine has: the only ones that its processes can be promised."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_STATUS: Final = Path("/var/lib/dpkg/status")


class SystemPackages:
    """The packages that the machine's own list calls installed; the list is read again after it has changed."""

    def __init__(self, status: Path = _STATUS) -> None:
        self._status = status
        self._read_at_ns = -1
        self._versions: dict[str, str] = {}

    def missing(self, wanted: list[str]) -> list[str]:
        """Those of `wanted`, such as `git` or `git=1:2.39`, that are not there, or not in that version."""
        return [asked for asked in wanted if not self._has(asked)]

    def _has(self, asked: str) -> bool:
        name, _, version = asked.partition("=")
        found = self._installed().get(name.partition(":")[0])
        return found is not None and version in ("", found)

    def _installed(self) -> dict[str, str]:
        try:
            changed_at_ns = self._status.stat().st_mtime_ns
            if changed_at_ns != self._read_at_ns:
                self._versions = _installed_in(self._status.read_text(errors="replace"))
                self._read_at_ns = changed_at_ns
        except OSError:
            return {}  # no Debian: nothing can be said of packages here
        return self._versions


def _installed_in(text: str) -> dict[str, str]:
    versions = {}
    for stanza in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" ok installed"):
            versions[fields.get("Package", "")] = fields.get("Version", "")
    return versions
