"""What people do with secrets: create, update, list, look at, delete. Nothing here can read a value back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from flyteplane.foundation.absent import absent_secret
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import Aborted, AlreadyExists, PlatformError
from flyteplane.foundation.repetition import check_request_id, id_reused
from flyteplane.observe import get_logger
from flyteplane.secrets.application.envelope import Envelope
from flyteplane.secrets.application.ports import SecretRecords
from flyteplane.secrets.domain.names import SecretName, SecretScope
from flyteplane.secrets.domain.values import SecretInfo, SecretValue, WrappedKey

#: Somebody else changed the secret between our look and our write this many times in a row.
_ROUNDS: Final = 5
_log = get_logger("secrets.keys")


class Catalog:
    """The use cases of people."""

    def __init__(self, *, records: SecretRecords, envelope: Envelope, clock: Clock) -> None:
        self._records = records
        self._envelope = envelope
        self._clock = clock

    async def create(self, name: SecretName, value: SecretValue, *, request: str = "") -> SecretInfo:
        """Stores a new secret; a request that was answered before is answered alike. Raises AlreadyExists; Aborted if
        others keep changing it."""
        for _ in range(_ROUNDS):
            known = await self._records.find(name)
            if (answered := await self._answered(request, name)) is not None:
                return answered
            if known is not None and not known.deleted:
                raise AlreadyExists(
                    f"secret {name.words} exists already",
                    reason="SECRET_EXISTS",
                    field="key",
                    mend=f"Give it a new value with `flyte update secret {name.key}`.",
                )
            now = self._clock.now()
            version = known.version if known is not None else 0
            info = SecretInfo(name=name, version=version + 1, created_at=now, updated_at=now)
            if await self._store(info, value, request):
                return info
        raise _contended(name)

    async def update(self, name: SecretName, value: SecretValue, *, request: str = "") -> SecretInfo:
        """Stores a new version; who was given the old one keeps it. A request that was answered before is answered
        alike, whatever was stored since. Raises NotFound; Aborted if others keep changing it."""
        for _ in range(_ROUNDS):
            found = await self._records.find(name)
            if (answered := await self._answered(request, name)) is not None:
                return answered
            known = _present(found, name)
            info = replace(known, version=known.version + 1, updated_at=self._clock.now())
            if await self._store(info, value, request):
                return info
        raise _contended(name)

    async def get(self, name: SecretName) -> SecretInfo:
        """What is known of a secret. Raises NotFound."""
        return _present(await self._records.find(name), name)

    async def delete(self, name: SecretName, *, request: str = "") -> None:
        """Deletes all values; a request that was answered before deletes nothing more. Raises NotFound; Aborted if
        others keep changing it."""
        for _ in range(_ROUNDS):
            found = await self._records.find(name)
            if await self._answered(request, name) is not None:
                return
            known = _present(found, name)
            gone = replace(known, version=known.version + 1, updated_at=self._clock.now(), deleted=True)
            if await self._records.put(gone, None, expecting=known.version, request=request):
                return
        raise _contended(name)

    async def page(self, *, scope: SecretScope | None, after: SecretName | None, limit: int) -> Sequence[SecretInfo]:
        """Secrets of exactly this scope, or of all, in the order of their names."""
        return await self._records.page(scope=scope, after=after, limit=limit)

    async def _answered(self, request: str, name: SecretName) -> SecretInfo | None:
        # Asked after the secret was read, never before: a repetition at the same time may commit between the two
        # reads, and what it stored must be taken for an answer and not for somebody else's secret.
        check_request_id(request)
        answered = await self._records.answered(request) if request else None
        if answered is not None and answered.name != name:
            # Of the value nothing is kept to compare: by a digest of it, whoever reads the database could try values.
            raise id_reused()
        return answered

    async def _store(self, info: SecretInfo, value: SecretValue, request: str) -> bool:
        key_id = await self._envelope.current_key_id()
        sealed = await self._envelope.seal(value, name=info.name, version=info.version)
        if not await self._records.put(info, sealed, expecting=info.version - 1, request=request):
            return False
        if await self._envelope.current_key_id() != key_id:
            # The keys were replaced meanwhile, and whoever moved the secrets may have passed this one before it came.
            await self._move(info, sealed.key)
        return True

    async def _move(self, info: SecretInfo, key: WrappedKey) -> None:
        try:
            await self._records.rewrap([(info, await self._envelope.rewrap(key, info=info))])
        except PlatformError as error:
            # It is stored all the same, and moved whenever keys are looked through again.
            _log.warning("secret_not_moved", secret=info.name.words, problem=error.public_text)


def _present(found: SecretInfo | None, name: SecretName) -> SecretInfo:
    if found is None or found.deleted:
        raise absent_secret(name.key, group=name.group, project=name.project, domain=name.domain)
    return found


def _contended(name: SecretName) -> Aborted:
    return Aborted(f"secret {name.words} is being changed by others", reason="SECRET_CONTENDED", mend="Try again.")
