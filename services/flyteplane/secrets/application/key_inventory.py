"""Which key-encryption keys there are, and which ones secrets need.

A platform whose secrets need a key that is not there does not open: going on, it would store new secrets under another
key, and whoever puts the lost file back over that one destroys them. An operator who knows that a key is gone for good
says so.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flyteplane.foundation.errors import FailedPrecondition, Unavailable
from flyteplane.observe import get_logger
from flyteplane.secrets.application.ports import KeyProvider, SecretRecords

_log = get_logger("secrets.keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """One key."""

    id: str
    current: bool
    available: bool
    secrets: int
    """How many need it."""


class KeyInventory:
    """The use case."""

    def __init__(self, *, records: SecretRecords, keys: KeyProvider) -> None:
        self._records = records
        self._keys = keys

    async def list(self) -> Sequence[KeyInfo]:
        """The current key, and every key that a secret needs. Raises Unavailable."""
        current, needed = await self._keys.current_key_id(), await self._records.keys_in_use()
        return [
            KeyInfo(id=key, current=key == current, available=await self._keys.holds(key), secrets=needed.get(key, 0))
            for key in sorted({current, *needed} - {""})
        ]

    async def refuse_lost(self, *, given_up: Collection[str], where: str) -> None:
        """Raises FailedPrecondition (SECRET_KEY_MISSING) if a secret needs a key that is not there and not given up.

        Keys that cannot be reached now are not lost.
        """
        needed = await self._records.keys_in_use()
        try:
            lost = {key: needed[key] for key in sorted(needed) if key and not await self._keys.holds(key)}
        except Unavailable as error:
            _log.warning("secret_keys_unreachable", problem=error.public_text)
            return
        for key in sorted(lost.keys() & given_up):
            _log.error("secret_key_given_up", key=key, secrets=lost.pop(key))
        if lost:
            raise _lost(lost, where)


def _lost(lost: dict[str, int], where: str) -> FailedPrecondition:
    count, ids = sum(lost.values()), ", ".join(lost)
    return FailedPrecondition(
        f"{count} stored secret{'s need' if count > 1 else ' needs'} the key-encryption key {ids}, which is not "
        f"{where}",
        reason="SECRET_KEY_MISSING",
        mend="Restore it from a backup; nothing was changed. If it is gone for good, name it in secrets.lost_keys of "
        "the operator's file, and store these secrets again.",
    )
