"""A lazy dataclass behaves as one of the standard library, and writes its methods once, when they are called."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import threading
from dataclasses import KW_ONLY, FrozenInstanceError, InitVar, field
from typing import Any, ClassVar

import pytest

from flyte.spec import lazy_dataclass


@lazy_dataclass.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is."""

    limit: ClassVar[int] = 9

    name: str
    size: int = 3
    tags: list[str] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.size > self.limit:
            raise ValueError("too large")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EagerPlace:
    """The same, of the standard library."""

    limit: ClassVar[int] = 9

    name: str
    size: int = 3
    tags: list[str] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.size > self.limit:
            raise ValueError("too large")


def lazy(cls: type) -> Any:
    return lazy_dataclass.dataclass(frozen=True, slots=True)(cls)


def is_written(cls: type, method: str) -> bool:
    return "stand_in" not in vars(cls)[method].__code__.co_name


def test_a_value_has_what_it_was_given_and_its_defaults() -> None:
    place = Place(name="here")
    assert (place.name, place.size, place.tags) == ("here", 3, [])
    assert Place(name="here").tags is not place.tags
    assert dataclasses.replace(place, size=4) == Place(name="here", size=4)
    assert dataclasses.asdict(place) == dataclasses.asdict(EagerPlace(name="here"))
    assert repr(place) == repr(EagerPlace(name="here")).replace("EagerPlace", "Place")


def test_values_are_compared_and_hashed_by_their_fields() -> None:
    assert Place(name="a", tags=["x"]) == Place(name="a", tags=["y"])
    assert Place(name="a") != Place(name="b")
    other: object = EagerPlace(name="a")
    assert Place(name="a") != other
    assert len({Place(name="a"), Place(name="a"), Place(name="b")}) == 2
    assert hash(Place(name="a")) == hash(EagerPlace(name="a"))


@pytest.mark.parametrize("cls", [Place, EagerPlace])
def test_what_cannot_be_made_is_refused_in_the_same_words(cls: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"{cls.__name__}.__init__\(\) missing 1 required keyword-only argument: 'name'"
    ):
        cls()
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        cls("here")
    with pytest.raises(ValueError, match="too large"):
        cls(name="here", size=10)


@pytest.mark.parametrize("cls", [Place, EagerPlace])
def test_a_value_cannot_be_changed(cls: Any) -> None:
    place = cls(name="here")
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'size'"):
        place.size = 4
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'size'"):
        del place.size
    assert not hasattr(place, "__dict__")


def test_a_value_survives_copying_and_pickling() -> None:
    place = Place(name="here", tags=["x"])
    for again in (copy.copy(place), copy.deepcopy(place), pickle.loads(pickle.dumps(place))):
        assert again == place
        assert again.tags == ["x"]


def test_patterns_and_special_fields_work() -> None:
    class Point:
        """A point."""

        x: int
        doubled: InitVar[int]
        _: KW_ONLY
        y: int = 0

        def __post_init__(self, doubled: int) -> None:
            object.__setattr__(self, "y", doubled * 2)

    made = lazy(Point)
    match made(1, 4):
        case made(x, y=8):
            assert x == 1
        case other:
            raise AssertionError(other)


def test_methods_are_written_when_they_are_first_called() -> None:
    class Unused:
        """Nobody has made one yet."""

        x: int

    made = lazy(Unused)
    assert not any(is_written(made, method) for method in ("__init__", "__eq__", "__hash__", "__repr__"))
    value = made(1)
    assert is_written(made, "__init__")
    assert not is_written(made, "__eq__")
    assert inspect.signature(made).parameters.keys() == {"x"}
    assert value == made(x=1)
    assert all(is_written(made, method) for method in ("__eq__", "__hash__", "__repr__"))


def test_whoever_inherits_is_a_dataclass_of_the_same_kind() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Room(Place):
        floor: int

    room = Room(name="here", floor=1)
    assert (room.size, room.floor) == (3, 1)
    with pytest.raises(FrozenInstanceError):
        room.size = 4  # type: ignore[misc]
    with pytest.raises(TypeError, match="non-frozen"):
        dataclasses.dataclass(type("Loose", (Place,), {"__annotations__": {}}))


def test_what_inherits_from_a_lazy_class_is_lazy_and_has_its_fields() -> None:
    @lazy_dataclass.dataclass(frozen=True, slots=True, kw_only=True)
    class Room(Place):
        """A place in a house."""

        floor: int = 0

    assert not is_written(Room, "__init__")
    room = Room(name="here", size=2)
    assert (room.name, room.size, room.floor) == ("here", 2, 0)
    assert repr(room).endswith("Room(name='here', size=2, floor=0)")
    assert room == Room(name="here", size=2)
    assert room != Place(name="here", size=2)
    assert pickle.loads(pickle.dumps(Place(name="a"))) == Place(name="a")
    with pytest.raises(ValueError, match="too large"):
        Room(name="here", size=10)
    with pytest.raises(FrozenInstanceError):
        room.name = "there"  # type: ignore[misc]


def test_a_class_with_methods_of_its_own_is_made_at_once() -> None:
    class Own:
        """Says itself what it is."""

        x: int

        def __repr__(self) -> str:
            return "own"

    made = lazy(Own)
    assert is_written(made, "__init__")
    assert repr(made(1)) == "own"


def test_threads_that_use_a_class_for_the_first_time_at_once_agree() -> None:
    class Shared:
        """Made by many threads."""

        x: int

    made, barrier = lazy(Shared), threading.Barrier(8)
    values: list[object] = []

    def use() -> None:
        barrier.wait()
        values.append(made(1))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [made(1)] * 8
