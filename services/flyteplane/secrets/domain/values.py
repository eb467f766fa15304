"""Values of secrets: in the clear, which nothing prints, and as they are stored."""

import hmac
from dataclasses import dataclass, field
from typing import Final, NoReturn, final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.secrets.domain.names import SecretName

#: The largest value.
MOST_VALUE_BYTES: Final = 1024 * 1024


@final
class SecretValue:
    """A value in the clear. It cannot be printed, formatted, copied to another process or hashed by accident."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def reveal(self) -> bytes:
        """The value itself. Whoever calls this answers for where it goes."""
        return self._content

    def __repr__(self) -> str:
        return "SecretValue(****)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and hmac.compare_digest(self._content, other._content)

    __hash__ = None  # type: ignore[assignment]  # how Python is told

    def __reduce__(self) -> NoReturn:
        raise TypeError("the value of a secret does not leave its process this way")


def parse_value(content: bytes) -> SecretValue:
    """A value that may be stored. Raises InvalidArgument."""
    if not content:
        raise InvalidArgument("the value is empty", field="value", mend="Give at least one byte, or delete the secret.")
    if len(content) > MOST_VALUE_BYTES:
        raise InvalidArgument(
            f"the value has {len(content)} bytes",
            field="value",
            limit=f"{MOST_VALUE_BYTES} bytes",
            mend="Keep large files in an object store, and the key to them here.",
        )
    return SecretValue(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A data key, encrypted under a key-encryption key."""

    key_id: str
    """Which key-encryption key."""
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A value as it is stored."""

    key: WrappedKey
    """The data key of this very version."""
    content: bytes = field(repr=False)
    """Nonce, ciphertext and tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretInfo:
    """What people may see of a secret. Times are seconds since the epoch.

    The version of a deleted secret is kept, and goes on growing when the secret is created again: a version stands
    for one value for ever, and whoever remembers it never takes a new value for the old one.
    """

    name: SecretName
    version: int
    created_at: float
    updated_at: float
    deleted: bool = False
