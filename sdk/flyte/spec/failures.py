"""The root of the SDK's errors, and those of them that configuration values raise.

They are part of `flyte.errors`, where users find them; they are declared here because `flyte.spec` stands alone.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

ErrorKind: TypeAlias = Literal["system", "unknown", "user"]


class BaseRuntimeError(RuntimeError):
    """The root.

    - `code`: a short name of what happened, the class of the original exception where there was one.
    - `kind`: whose fault it is.
    - `message`: what happened, in words.
    - `worker`: where it happened.
    """

    def __init__(self, code: str, kind: ErrorKind, root_cause_message: str, worker: str | None = None) -> None:
        super().__init__(root_cause_message)
        self.code = code
        self.kind: ErrorKind = kind
        self.message = root_cause_message
        self.worker = worker

    def __reduce__(self) -> tuple[Any, ...]:
        # The constructors of subclasses differ; the state does not.
        return (_rebuild, (type(self), self.args), dict(self.__dict__))


class RuntimeUserError(BaseRuntimeError):
    """Something in the user's code or request is wrong."""

    def __init__(self, code: str, message: str, worker: str | None = None) -> None:
        super().__init__(code, "user", message, worker)


class ImageBuildError(RuntimeUserError):
    """An image cannot be built."""

    def __init__(self, message: str) -> None:
        super().__init__("ImageBuildError", message, None)


def _rebuild(cls: type[BaseRuntimeError], args: tuple[Any, ...]) -> BaseRuntimeError:
    error = cls.__new__(cls, *args)
    error.args = args
    return error
