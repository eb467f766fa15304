"""Tasks that do with their secrets what they should not: print them, raise them, hand them on."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import flyte

SMALL = flyte.Resources(cpu=("20m", "1"), memory=("60Mi", "250Mi"))
SECRETS: list[str | flyte.Secret] = [
    "CANARY",
    flyte.Secret("CANARY_FILE", group="team", mount=Path("/etc/flyte/secrets")),
]
fresh = flyte.TaskEnvironment("canary", resources=SMALL, secrets=SECRETS)
warm = flyte.TaskEnvironment(
    "warm-canary", resources=SMALL, secrets=SECRETS, reusable=flyte.ReusePolicy(replicas=1, idle_ttl=60)
)
# A secret of its own: what is handed on is data, which stays where the user put it.
giving = flyte.TaskEnvironment("giving-canary", resources=SMALL, secrets="GIVEN_CANARY")
parent = flyte.TaskEnvironment("parent-canary", resources=SMALL, depends_on=[fresh, warm, giving])


def values() -> tuple[str, str]:
    """What was given as a variable and as a file."""
    return os.environ["CANARY"], Path(os.environ["FLYTE_SECRETS_DIR"], "team", "CANARY_FILE").read_text()


def forms() -> Iterator[str]:
    """The values as programs write them."""
    for value in values():
        content = value.encode()
        yield from (
            value,
            repr(value),
            json.dumps({"key": value}),
            quote(value),
            quote(value, safe=""),
            quote_plus(value),
        )
        yield from (content.hex(), content.hex().upper(), base64.urlsafe_b64encode(content).decode())
        yield from (base64.b64encode(bytes(before) + content + b"behind").decode() for before in range(3))
    yield repr(os.environ)


def tell() -> None:
    """By every door of the process, and by another program."""
    for form in forms():
        print("print", form)
        logging.getLogger("canary").error("logging %s", form)
        os.write(2, f"descriptor {form}\n".encode())
        subprocess.run([sys.executable, "-Sc", "import sys; print('program', sys.argv[1])", form], check=True)
    for piece in values()[0]:
        print(piece, end="", flush=True)
    print(flush=True)


class Refused(Exception):
    """An error that carries all it can."""

    def __init__(self, *told: object) -> None:
        super().__init__(*told)
        self.environment = dict(os.environ)


@fresh.task
async def prints() -> int:
    """Tells all it knows."""
    tell()
    return len(values()[0])


@warm.task
async def prints_warm() -> int:
    """The same on a replica."""
    tell()
    return len(values()[0])


@fresh.task
async def raises() -> int:
    """Fails with all it knows."""
    try:
        raise KeyError(values()[0])
    except KeyError as error:
        raise Refused("refused:", *forms()) from error


@warm.task
async def raises_warm() -> int:
    """The same on a replica."""
    raise Refused("refused:", *forms())


@giving.task
async def gives(times: int) -> str:
    """Hands its secret on, on purpose: as a value that travels inline, or as one that is too large for it."""
    return os.environ["GIVEN_CANARY"] * times


@parent.task
async def all_of_them() -> list[str]:
    """Runs them all; what the children failed with, as their parent sees it."""
    told: list[str] = []
    for task in (prints, prints_warm):
        await task()
    for task in (raises, raises_warm):
        try:
            await task()
        except flyte.errors.RuntimeUserError as error:
            told.append(f"{error.code} {error!r} {error} {error.__cause__!r}")
    return [*told, *[str(len(await gives(times))) for times in (1, 20_000)]]
