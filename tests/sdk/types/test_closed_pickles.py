"""A pickle that somebody else made is looked at without being opened."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from flyte.cli.output import jsonable
from flyte.types.closed_pickles import pickles_kept_closed
from flyte.types.codecs import codec_for
from flyte.types.guess import guess_annotation


class Acting:
    """Makes a file when its pickle is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@dataclasses.dataclass
class Holder:
    inner: Acting


def values(acting: Acting) -> dict[Any, Any]:
    return {Acting: acting, list[Acting]: [acting], dict[str, Acting]: {"k": acting}, Holder: Holder(acting)}


@pytest.mark.parametrize("annotation", [Acting, list[Acting], dict[str, Acting], Holder])
async def test_nothing_of_a_pickle_runs_while_it_is_kept_closed(annotation: Any, tmp_path: Path) -> None:
    mark = tmp_path / "opened"
    codec = codec_for(annotation)
    message = codec.encode(values(Acting(mark))[annotation], name="x")
    guessed = codec_for(guess_annotation(codec.json_schema))
    with pickles_kept_closed():
        shown = json.dumps(jsonable(await asyncio.to_thread(guessed.decode, message)))
    assert '"pickle_of": "tests.sdk.types.test_closed_pickles.Acting", "size_bytes": ' in shown
    assert not mark.exists()
    guessed.decode(message)
    assert mark.exists()
