"""`FlytePickle`: the annotation of values that are meant to travel as pickles."""

from __future__ import annotations

from typing import Any


class FlytePickle:
    """As an annotation: any value. Its methods put a pickle into storage and fetch it, as with the peer SDK."""

    @classmethod
    def python_type(cls) -> type:
        """Return the class of the values, which is not known."""
        return type(None)

    @classmethod
    async def to_pickle(cls, python_val: Any) -> str:
        """Store a value as a pickle and return its address."""
        import cloudpickle

        from flyte.io import File

        file: File[Any] = File.new_remote("value.pkl")
        async with file.open("wb") as stream:
            await stream.write(cloudpickle.dumps(python_val))
        return file.path

    @classmethod
    async def from_pickle(cls, uri: str) -> Any:
        """Return the value of a stored pickle."""
        import cloudpickle

        from flyte.io import File

        file: File[Any] = File.from_existing_remote(uri)
        async with file.open("rb") as stream:
            return cloudpickle.loads(await stream.read())
