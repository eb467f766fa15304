"""Objects in this process, for tests."""

from pathlib import Path

from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import InvalidArgument, NotFound
from flyteplane.objects.keys import validate_key, validate_prefix
from flyteplane.objects.port import Content, ObjectInfo, ObjectPage


class MemoryObjectStore:
    """See `ObjectStore`."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._objects: dict[str, tuple[bytes, float]] = {}

    async def put(self, key: str, content: Content) -> ObjectInfo:
        self._objects[validate_key(key)] = (_bytes(content), self._clock.now())
        return self._info(key)

    async def put_if_absent(self, key: str, content: Content) -> bool:
        if validate_key(key) in self._objects:
            return False
        await self.put(key, content)
        return True

    async def get(self, key: str) -> bytes:
        return self._found(key)[0]

    async def get_range(self, key: str, *, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0:
            raise InvalidArgument("a range has no negative offset or length", reason="OBJECT_RANGE")
        return self._found(key)[0][offset : offset + length]

    async def download(self, key: str, to: Path) -> ObjectInfo:
        to.write_bytes(self._found(key)[0])
        return self._info(key)

    async def head(self, key: str) -> ObjectInfo | None:
        return self._info(key) if validate_key(key) in self._objects else None

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> ObjectPage:
        validate_prefix(prefix)
        keys = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
        page = keys[:limit]
        return ObjectPage([self._info(key) for key in page], page[-1] if len(keys) > limit and page else "")

    async def delete(self, key: str) -> None:
        self._objects.pop(validate_key(key), None)

    def _found(self, key: str) -> tuple[bytes, float]:
        found = self._objects.get(validate_key(key))
        if found is None:
            raise NotFound(f"there is no object {key!r}", reason="OBJECT_NOT_FOUND")
        return found

    def _info(self, key: str) -> ObjectInfo:
        content, modified_at = self._objects[key]
        return ObjectInfo(key, len(content), modified_at)


def _bytes(content: Content) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else bytes(content)
