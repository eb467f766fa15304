"""Where the value of a secret comes from: a file, standard input, or a prompt that shows nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

MAX_SECRET_BYTES = 1024 * 1024


def read_secret(name: str, *, value: str | None, from_file: Path | None) -> bytes:
    """Return the value of a secret.

    `value` "-", or standard input that is no terminal, reads standard input, without the line end that `echo` adds.
    Raises ClickException for an empty value or one over 1 MiB.
    """
    if value is not None and from_file is not None:
        raise click.UsageError("--value and --from-file are two sources: give one of them.")
    content = _content(name, value=value, from_file=from_file)
    if not content:
        raise click.ClickException(f"The value of secret {name} is empty.")
    if len(content) > MAX_SECRET_BYTES:
        raise click.ClickException(
            f"The value of secret {name} has more than {MAX_SECRET_BYTES} bytes, which is the limit."
        )
    return content


def _content(name: str, *, value: str | None, from_file: Path | None) -> bytes:
    if from_file is not None:
        try:
            with from_file.open("rb") as file:
                return file.read(MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise click.ClickException(f"{from_file} cannot be read: {error.strerror}.") from None
    if value is not None and value != "-":
        return value.encode()
    if value == "-" or not sys.stdin.isatty():
        # One byte more than fits, and the line end that will be taken away.
        return sys.stdin.buffer.read(MAX_SECRET_BYTES + 3).removesuffix(b"\n").removesuffix(b"\r")
    typed: str = click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True)
    return typed.encode()
