"""Moving data keys under the current key-encryption key.

Run when the service opens, and whenever an operator asks for it. It may be killed between any two pages: what was done
stays done, and the next run does the rest. Values are not touched, and can be read all the time: a data key is under
the one key or under the other, and both are at hand.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flyteplane.foundation.errors import DataLoss, FailedPrecondition
from flyteplane.observe import get_logger
from flyteplane.secrets.application.envelope import Envelope
from flyteplane.secrets.application.ports import KeyProvider, SecretRecords
from flyteplane.secrets.domain.names import SecretName
from flyteplane.secrets.domain.values import SecretInfo, WrappedKey

#: Secrets that are moved in one transaction.
PAGE: Final = 200
_log = get_logger("secrets.keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """What a run did."""

    key_id: str
    """The current key."""
    done: int
    """Secrets that are under the current key now and were not before."""
    stuck: tuple[SecretName, ...]
    """Secrets whose key is missing or damaged: they cannot be given to anybody."""


class Rewrapping:
    """The use case."""

    def __init__(self, *, records: SecretRecords, envelope: Envelope, keys: KeyProvider, page: int = PAGE) -> None:
        self._records = records
        self._envelope = envelope
        self._keys = keys
        self._page = page
        self._turn = asyncio.Lock()

    async def run(self, *, new_key: bool = False) -> Rewrapped:
        """Re-wraps everything that is not under the current key, after making a new one or looking for one.

        Raises:
            FailedPrecondition: a new key is not the platform's to make, or a key file cannot be used.
            Unavailable: store or keys are away.
        """
        async with self._turn:
            if new_key:
                await self._keys.new_key()
            else:
                await self._keys.refresh()
            return await self._move(await self._keys.current_key_id())

    async def _move(self, key_id: str) -> Rewrapped:
        done, after = 0, None
        stuck: list[SecretName] = []
        while page := await self._records.under_other_keys(key_id, after=after, limit=self._page):
            done += await self._records.rewrap(await self._rewrapped(page, stuck))
            after = page[-1][0].name
        if done:
            _log.info("secret_keys_rewrapped", key=key_id, secrets=done)
        return Rewrapped(key_id=key_id, done=done, stuck=tuple(stuck))

    async def _rewrapped(
        self, page: Sequence[tuple[SecretInfo, WrappedKey]], stuck: list[SecretName]
    ) -> list[tuple[SecretInfo, WrappedKey]]:
        fresh: list[tuple[SecretInfo, WrappedKey]] = []
        for info, wrapped in page:
            try:
                fresh.append((info, await self._envelope.rewrap(wrapped, info=info)))
            except (FailedPrecondition, DataLoss) as error:
                # One secret that is lost must not keep the others from being served.
                stuck.append(info.name)
                _log.error("secret_key_unusable", secret=info.name.words, key=wrapped.key_id, problem=error.message)
        return fresh
