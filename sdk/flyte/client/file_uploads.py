"""How a program that runs no task brings files to its platform: `flyte.io` asks here.

The platform of this machine reads the same disk, so data is written straight into its store; any other is given
files and folders through its data service.
"""

from __future__ import annotations

from pathlib import Path

from flyte.client.platform_folder import platform_folder, read_platform
from flyte.client.settings import ClientSettings


class PlatformUploads:
    """Uploads to the platform of some settings."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings

    def prefix(self) -> str | None:
        """Return a folder of the platform's store if that is a folder of this machine, None otherwise."""
        settings = self._settings
        for folder in (platform_folder(), _folder_of_socket(settings.endpoint or "")):
            running = read_platform(folder)
            if running is not None and running.endpoint == settings.endpoint and not running.objects:
                objects = folder / "objects" / "data" / settings.project / settings.domain / "uploads"
                return objects.as_uri() + "/"
        return None

    def upload_file(self, path: Path, *, name: str) -> str:
        """Bring a file to the platform and return its URI."""
        from flyte.remote.files import upload_file

        return upload_file(path, fname=name)[1]

    def upload_folder(self, path: Path, *, name: str) -> str:
        """Bring a folder with all below it to the platform and return its URI."""
        from flyte.remote.files import upload_dir

        return upload_dir(path, prefix=name)


def _folder_of_socket(endpoint: str) -> Path:
    """Return the folder that a socket lies in: the platform's own, unless that has a long path."""
    return Path(endpoint.removeprefix("unix:")).absolute().parent
