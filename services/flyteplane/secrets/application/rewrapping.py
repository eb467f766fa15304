"""Moving data keys under the current key-encryption key.

Run when the service opens, and whenever a new key was added. It may be killed between any two pages: what was done
stays done, and the next run does the rest. Values are not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flyteplane.foundation.errors import DataLoss, FailedPrecondition
from flyteplane.observe import get_logger
from flyteplane.secrets.application.envelope import Envelope
from flyteplane.secrets.application.ports import KeyProvider, SecretRecords
from flyteplane.secrets.domain.names import SecretName
from flyteplane.secrets.domain.values import SecretInfo, WrappedKey

_PAGE: Final = 200
_log = get_logger("secrets.keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """What a run did."""

    done: int
    """Secrets that are under the current key now and were not before."""
    stuck: tuple[SecretName, ...]
    """Secrets whose key is missing or damaged: they cannot be given to anybody."""


class Rewrapping:
    """The use case."""

    def __init__(self, *, records: SecretRecords, envelope: Envelope, keys: KeyProvider) -> None:
        self._records = records
        self._envelope = envelope
        self._keys = keys

    async def run(self) -> Rewrapped:
        """Re-wraps everything that is not under the current key. Raises Unavailable if store or keys are away."""
        key_id = await self._keys.current_key_id()
        done, after = 0, None
        stuck: list[SecretName] = []
        while page := await self._records.under_other_keys(key_id, after=after, limit=_PAGE):
            done += await self._records.rewrap(await self._rewrapped(page, stuck))
            after = page[-1][0].name
        if done:
            _log.info("secret_keys_rewrapped", key=key_id, secrets=done)
        return Rewrapped(done=done, stuck=tuple(stuck))

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
