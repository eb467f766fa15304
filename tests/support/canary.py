"""A value that must be found nowhere, and the search for it: in files, in PostgreSQL, in all that etcd was ever told.

It is searched for as it is, in hex, quoted as in URLs, as Python and JSON write it, and in base64 wherever in a longer
text it may begin; and any longer piece of it counts.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

import asyncpg  # type: ignore[import-untyped]

#: So much of a value is told by nobody who tells it by chance.
_PIECE: Final = 14
_TIMEOUT_S: Final = 20.0


class Canary:
    """A random value of text that every way of writing changes in its own way."""

    def __init__(self) -> None:
        self.value = f"{secrets.token_hex(9)} 'ü\"\\+/&?{secrets.token_hex(9)}"
        self._forms = frozenset(_forms(self.value))

    def sightings(self, where: str, content: bytes) -> list[str]:
        """Where it was found and how, or nothing."""
        return [f"{where}: {form!r}" for form in self._forms if form in content]


def _forms(value: str) -> Iterator[bytes]:
    content = value.encode()
    texts = {value, value[:_PIECE], value[-_PIECE:], repr(value)[1:-1], ascii(value)[1:-1], repr(content)[2:-1]}
    texts |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(json.dumps(value))[3:-3]}
    texts |= {quote(value), quote(value, safe=""), quote_plus(value), content.hex(), content.hex().upper()}
    for before in range(3):
        # The first and the last characters depend on what stands before and behind.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(bytes(before) + content).decode()[4:-4]
            texts |= {encoded, encoded[: _PIECE + 4], base64.b64encode(encoded.encode()).decode()[4:-4]}
    yield from (text.encode() for text in texts)


def sightings(canaries: Iterable[Canary], where: str, content: bytes | str) -> list[str]:
    """Where any of the values was found, and how."""
    raw = content.encode() if isinstance(content, str) else content
    return [found for canary in canaries for found in canary.sightings(where, raw)]


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file with its content: databases with their write-ahead logs, objects, logs, sockets' neighbours.

    What goes away meanwhile is passed over, as folders of workers that ended do.
    """
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in sorted(names)):
            try:
                content = path.read_bytes() if path.is_file() else None
            except FileNotFoundError:
                continue
            if content is not None:
                yield str(path.relative_to(folder)), content


async def postgres_values(url: str) -> list[tuple[str, bytes]]:
    """Every value of every row of a database, with the schema, table and column that it stands in."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        found: list[tuple[str, bytes]] = []
        for schema, table in tables:
            for row in await connection.fetch(f'SELECT * FROM "{schema}"."{table}"'):
                for column, value in row.items():
                    content = value if isinstance(value, bytes) else str(value).encode()
                    found.append((f"{schema}.{table}.{column}", content))
        return found
    finally:
        await connection.close()


def etcd_revision(endpoint: str) -> int:
    """The revision that an etcd has come to."""
    return int(_post(endpoint, "/v3/kv/range", key=_text(b"\0"), limit=1)["header"]["revision"])


def etcd_history(endpoint: str, *, since: int) -> Iterator[tuple[str, bytes]]:
    """Everything that was written after a revision, overwritten and deleted things too: each key, and each value."""
    last = etcd_revision(endpoint)
    wanted = {"key": _text(b"\0"), "range_end": _text(b"\0"), "start_revision": since + 1}
    while last > since:
        body = json.dumps({"create_request": wanted}).encode()
        with urllib.request.urlopen(f"{endpoint}/v3/watch", data=body, timeout=_TIMEOUT_S) as answers:
            for line in answers:
                answer = json.loads(line)["result"]
                if answer.get("canceled"):
                    # Older history has been thrown away since; what is left of it is looked at.
                    wanted["start_revision"] = int(answer["compact_revision"])
                    break
                for event in answer.get("events", ()):
                    pair = event["kv"]
                    key = base64.b64decode(pair["key"])
                    yield f"key {key!r}", key
                    yield f"value of {key!r}", base64.b64decode(pair.get("value", ""))
                    since = int(pair["mod_revision"])
                if since >= last:
                    return


def _post(endpoint: str, path: str, **request: Any) -> dict[str, Any]:
    with urllib.request.urlopen(f"{endpoint}{path}", data=json.dumps(request).encode(), timeout=_TIMEOUT_S) as answer:
        return dict(json.load(answer))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
