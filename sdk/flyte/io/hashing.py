"""What identifies data by its content, so that equal data at another address is the same input."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

_one_at_a_time: Final = threading.RLock()


@runtime_checkable
class HashMethod(Protocol):
    """Takes data piece by piece and gives its hash."""

    def update(self, data: Any) -> None:
        """Take the next piece: bytes of a file, or a whole frame."""
        ...

    def result(self) -> str:
        """Return the hash of everything that was taken."""
        ...


class HashlibAccumulator:
    """A hash of the standard library."""

    def __init__(self, h: Any) -> None:
        self._hash = h

    @classmethod
    def from_hash_name(cls, name: str) -> HashlibAccumulator:
        """Make one by name, for example "sha256". Raises ValueError for an unknown one."""
        return cls(hashlib.new(name))

    def update(self, data: Any) -> None:
        """Take the next bytes."""
        self._hash.update(data)

    def result(self) -> str:
        """Return the hash in hex."""
        return str(self._hash.hexdigest())


class PrecomputedValue:
    """A hash that is known already."""

    def __init__(self, value: str) -> None:
        self._value = value

    def update(self, data: Any) -> None:
        """Ignore the data."""

    def result(self) -> str:
        """Return the known hash."""
        return self._value


class HashFunction:
    """A function of the whole value that returns its hash; in `Annotated[pd.DataFrame, HashFunction.from_fn(...)]`."""

    def __init__(self, fn: Callable[[Any], str]) -> None:
        self._fn = fn
        self._value: str | None = None

    @classmethod
    def from_fn(cls, fn: Callable[[Any], str]) -> HashFunction:
        """Make one of a function."""
        return cls(fn)

    def update(self, data: Any) -> None:
        """Take the value."""
        self._value = self._fn(data)

    def result(self) -> str:
        """Return the hash of the value taken last. Raises ValueError before any."""
        if self._value is None:
            raise ValueError("Nothing was hashed yet: call update() first")
        return self._value

    def reset(self) -> None:
        """Forget the value taken last."""
        self._value = None


def as_hash_method(method: HashMethod | str | None) -> HashMethod | None:
    """Return a hash method; a text is the hash itself."""
    return PrecomputedValue(method) if isinstance(method, str) else method


def hash_of(value: Any, method: HashMethod) -> str:
    """Return the hash of a whole value. A method in an annotation serves all threads: one at a time."""
    with _one_at_a_time:
        method.update(value)
        return method.result()


def hash_of_file(path: Any, method: HashMethod) -> str:
    """Return the hash of a file's content; a hash that is known already costs no reading."""
    if not isinstance(method, PrecomputedValue):
        with open(path, "rb") as file:
            while piece := file.read(1024 * 1024):
                method.update(piece)
    return method.result()


def content_hash(path: Path) -> str | None:
    """Return the SHA-256 of a file or of all that is in a folder, in hex; None if there is neither.

    That of a folder is made of the names and the contents of its files: another folder with equal ones has it too.
    """
    if path.is_file():
        return hash_of_file(path, HashlibAccumulator.from_hash_name("sha256"))
    if not path.is_dir():
        return None
    total = hashlib.sha256()
    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    for name, file in sorted(files.items()):
        content = hash_of_file(file, HashlibAccumulator.from_hash_name("sha256"))
        total.update(f"{len(name.encode())} {content} ".encode() + name.encode())
    return total.hexdigest()
