"""Secrets in memory, encrypted all the same: for tests."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from flyteplane.foundation.repetition import REQUESTS_KEPT_S
from flyteplane.secrets.application.ports import StoredSecret
from flyteplane.secrets.domain.names import SecretName, SecretScope
from flyteplane.secrets.domain.values import Sealed, SecretInfo, WrappedKey


class MemorySecrets:
    """Implements `SecretRecords`."""

    def __init__(self) -> None:
        self._rows: dict[SecretName, tuple[SecretInfo, Sealed | None]] = {}
        self._requests: dict[str, SecretInfo] = {}

    async def find(self, name: SecretName) -> SecretInfo | None:
        """See the port."""
        row = self._rows.get(name)
        return row[0] if row is not None else None

    async def put(self, info: SecretInfo, sealed: Sealed | None, *, expecting: int, request: str = "") -> bool:
        """See the port."""
        row = self._rows.get(info.name)
        oldest = info.updated_at - REQUESTS_KEPT_S
        requests = {id: made for id, made in self._requests.items() if made.updated_at >= oldest}
        if (row[0].version if row is not None else 0) != expecting or request in requests:
            return False
        self._rows[info.name] = (info, sealed)
        if request:
            self._requests = {**requests, request: info}
        return True

    async def answered(self, request: str) -> SecretInfo | None:
        """See the port."""
        return self._requests.get(request)

    async def locate(self, candidates: Sequence[Sequence[SecretName]]) -> Sequence[SecretInfo | None]:
        """See the port."""
        return [secret.info if secret is not None else None for secret in await self.fetch(candidates)]

    async def fetch(self, candidates: Sequence[Sequence[SecretName]]) -> Sequence[StoredSecret | None]:
        """See the port."""
        living = {secret.info.name: secret for secret in self._living()}
        return [next((living[name] for name in names if name in living), None) for names in candidates]

    async def page(self, *, scope: SecretScope | None, after: SecretName | None, limit: int) -> Sequence[SecretInfo]:
        """See the port."""
        infos = [secret.info for secret in self._behind(after)]
        return [info for info in infos if scope is None or info.name.scope == scope][:limit]

    async def under_other_keys(
        self, key_id: str, *, after: SecretName | None, limit: int
    ) -> Sequence[tuple[SecretInfo, WrappedKey]]:
        """See the port."""
        found = [(secret.info, secret.sealed.key) for secret in self._behind(after)]
        return [(info, key) for info, key in found if key.key_id != key_id][:limit]

    async def rewrap(self, keys: Sequence[tuple[SecretInfo, WrappedKey]]) -> int:
        """See the port."""
        done = 0
        for info, key in keys:
            known, sealed = self._rows.get(info.name, (None, None))
            if known is not None and sealed is not None and known.version == info.version:
                self._rows[info.name] = (known, replace(sealed, key=key))
                done += 1
        return done

    async def keys_in_use(self) -> Mapping[str, int]:
        """See the port."""
        return Counter(secret.sealed.key.key_id for secret in self._living())

    async def close(self) -> None:
        """See the port."""

    def _living(self) -> Iterable[StoredSecret]:
        return (StoredSecret(info=info, sealed=sealed) for info, sealed in self._rows.values() if sealed is not None)

    def _behind(self, after: SecretName | None) -> list[StoredSecret]:
        found = (secret for secret in self._living() if after is None or secret.info.name > after)
        return sorted(found, key=lambda secret: secret.info.name)
