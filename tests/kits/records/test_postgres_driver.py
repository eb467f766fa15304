"""PostgreSQL's driver is loaded for a PostgreSQL database only, and asked for by name when it is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import asyncio, sys
sys.modules[sys.argv[1]] = None
from flyteplane.foundation.errors import PlatformError
from flyteplane.records import open_database

async def main():
    await (await open_database("sqlite://")).close()
    try:
        await open_database("postgresql://user:open-sesame@localhost/flights")
    except PlatformError as error:
        print(error)

asyncio.run(main())
"""


@pytest.mark.parametrize("package", ["asyncpg", "greenlet"])
def test_without_the_driver_only_postgresql_is_refused(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, package], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("STORE_DRIVER_MISSING: ")
    assert "flights" in done.stdout
    assert "flyteplane[postgres]" in done.stdout
    assert "open-sesame" not in done.stdout
