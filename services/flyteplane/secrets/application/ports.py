"""What the secrets service needs from the outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flyteplane.rpc.tokens import Claims
from flyteplane.secrets.domain.audit import EVERYTHING, AuditEntry, AuditFilter
from flyteplane.secrets.domain.names import SecretName, SecretScope
from flyteplane.secrets.domain.values import Sealed, SecretInfo, WrappedKey


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """A living secret."""

    info: SecretInfo
    sealed: Sealed


class SecretRecords(Protocol):
    """Durable secrets, encrypted. Of each only the newest version is kept: an older one cannot be given to anybody."""

    async def find(self, name: SecretName) -> SecretInfo | None:
        """What is known of a secret, deleted ones too."""

    async def put(self, info: SecretInfo, sealed: Sealed | None, *, expecting: int, request: str = "") -> bool:
        """Stores a version in place of the one before, or without a value for a deleted secret.

        Returns False and changes nothing unless the stored version is `expecting`; 0 stands for a secret that never
        was. The request that asked for it, if it has an id, is remembered with it for `REQUESTS_KEPT_S`; False as well
        for one that is remembered already.
        """

    async def answered(self, request: str) -> SecretInfo | None:
        """What a request stored, if it is remembered. Something newer may have been stored since."""

    async def locate(self, candidates: Sequence[Sequence[SecretName]]) -> Sequence[SecretInfo | None]:
        """For each list of names the first secret that lives, all as of one moment."""

    async def fetch(self, candidates: Sequence[Sequence[SecretName]]) -> Sequence[StoredSecret | None]:
        """As `locate`, with the values."""

    async def page(self, *, scope: SecretScope | None, after: SecretName | None, limit: int) -> Sequence[SecretInfo]:
        """Living secrets of one scope, or of all, in the order of their names."""

    async def under_other_keys(
        self, key_id: str, *, after: SecretName | None, limit: int
    ) -> Sequence[tuple[SecretInfo, WrappedKey]]:
        """Living secrets whose data key is not wrapped by this key, in the order of their names."""

    async def rewrap(self, keys: Sequence[tuple[SecretInfo, WrappedKey]]) -> int:
        """Replaces wrapped data keys of exactly these versions, in one transaction; returns how many were there."""

    async def keys_in_use(self) -> Mapping[str, int]:
        """Key-encryption keys that living secrets need, each with the number of these secrets."""

    async def close(self) -> None:
        """Lets go of the store."""


class AuditTrail(Protocol):
    """Who asked for what."""

    async def record(self, entries: Sequence[AuditEntry]) -> None:
        """Writes entries; returns once they are durable."""

    async def page(
        self, *, limit: int, before: int | None = None, matching: AuditFilter = EVERYTHING
    ) -> Sequence[tuple[int, AuditEntry]]:
        """Entries with their numbers, the newest first, from below the number `before` on."""

    async def forget(self, *, before: float) -> int:
        """Deletes entries of before that moment; returns how many."""


class KeyProvider(Protocol):
    """Holds key-encryption keys and never gives them out. A key management service fits behind this port.

    Every call raises Unavailable if the keys cannot be reached.
    """

    async def prepare(self) -> None:
        """Makes the very first key, if keys are the platform's to make and there is none."""

    async def refresh(self) -> None:
        """Looks for keys that were added since it was opened."""

    async def new_key(self) -> str:
        """Makes a new current key and returns its id; those before it still unwrap. Raises FailedPrecondition if keys
        are not the platform's to make."""

    async def current_key_id(self) -> str:
        """The key that new data keys are wrapped under."""

    async def holds(self, key_id: str) -> bool:
        """Whether it can unwrap what was wrapped under this key."""

    async def wrap(self, data_key: bytes, *, binding: bytes) -> WrappedKey:
        """Wraps a data key under the current key; it unwraps only with the same binding."""

    async def unwrap(self, wrapped: WrappedKey, *, binding: bytes) -> bytes:
        """The data key.

        Raises:
            FailedPrecondition: SECRET_KEY_MISSING; the key of this id is not there.
            DataLoss: the wrapped key is damaged or belongs to another binding.
        """


class TokenReader(Protocol):
    """Reads the tokens of attempts and replicas."""

    def verify(self, token: str) -> Claims:
        """What the token says. Raises Unauthenticated."""
