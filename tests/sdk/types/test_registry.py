"""A program can add the codec of a class of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from flyte.types import codecs
from flyte.types.codec import Codec, Value
from flyte.types.codecs import codec_for, register_codec


class Celsius:
    def __init__(self, degrees: float) -> None:
        self.degrees = degrees


@dataclass
class Weather:
    now: Celsius
    later: list[Celsius]


def celsius_codec(annotation: Any, of: Callable[[Any], Codec]) -> Codec:
    number = of(float)

    def write(message: Value, value: Any) -> None:
        number.write(message, value.degrees)

    def read(message: Value) -> Any:
        return Celsius(number.read(message))

    return Codec(annotation=annotation, type_name="Celsius", write=write, read=read, schema=number.schema)


@pytest.fixture(autouse=True)
def _forgotten_afterwards() -> Iterator[None]:
    yield
    codecs._registered.clear()
    codecs._finished.clear()


def test_a_registered_class_is_written_by_its_codec_wherever_it_appears() -> None:
    assert codec_for(Celsius).encode(Celsius(1.5), name="x").WhichOneof("kind") == "pickle"
    register_codec(Celsius, celsius_codec)
    assert codec_for(Celsius).encode(Celsius(1.5), name="x") == Value(float=1.5)
    codec = codec_for(Weather)
    found = codec.decode(codec.encode(Weather(Celsius(1.0), [Celsius(2.0)]), name="x"))
    assert (found.now.degrees, found.later[0].degrees) == (1.0, 2.0)


def test_threads_that_ask_at_once_get_one_codec() -> None:
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(codec_for(dict[str, list[Weather]]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
