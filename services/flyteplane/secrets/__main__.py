"""Adds a key-encryption key to a platform that does not run: the first half of replacing one.

    python -m flyteplane.secrets --keys ~/.flyte/platform/keys

The second half is a start, which moves every secret under the new key; `flyte update secret-keys` does that on a
platform that runs, where `flyte update secret-keys --new` does both. Older files may be removed when
`flyte get secret-keys` counts no secret under their keys.
"""

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from flyteplane.foundation.errors import PlatformError
from flyteplane.secrets.keys.file_keys import add_key


def main(arguments: Sequence[str] | None = None) -> int:
    """Adds a key file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flyteplane.secrets", description="Add a key-encryption key.")
    parser.add_argument("--keys", type=Path, required=True, help="key folder of the platform")
    try:
        path = add_key(parser.parse_args(arguments).keys, random_bytes=secrets.token_bytes)
    except PlatformError as error:
        print(error.public_text, file=sys.stderr)
        return 2
    print(f"{path} is the current key once the platform starts, or is told to with `flyte update secret-keys`.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
