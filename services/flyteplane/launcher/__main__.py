"""The command line of the launcher; people use `flyte up`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flyteplane.foundation.errors import PlatformError
from flyteplane.launcher.process import run
from flyteplane.launcher.settings import PlatformSettings, default_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the platform in the foreground; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flyteplane.launcher", description="Run the whole platform.")
    parser.add_argument("--data", type=Path, help="folder of the platform (default: $FLYTE_PLATFORM_DATA)")
    parser.add_argument("--endpoint", default="", help="unix:/path or 127.0.0.1:PORT (default: a socket in the folder)")
    parser.add_argument("--ready-fd", type=int, help="file descriptor that is told the endpoint when ready")
    parser.add_argument("--foreground", action="store_true", help="always so; here for symmetry with flyte up")
    given = parser.parse_args(arguments)
    try:
        settings = PlatformSettings(data=given.data or default_folder(), endpoint=given.endpoint)
    except PlatformError as error:
        print(f"flyte up: {error.public_text}", file=sys.stderr)
        return 2
    return run(settings, ready_fd=given.ready_fd)


if __name__ == "__main__":
    raise SystemExit(main())
