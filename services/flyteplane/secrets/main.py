"""Wires the secrets service: its keys, its store, its use cases and its servicer."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyteapi.secrets.v1.secrets_service_pb2_grpc import add_SecretsServiceServicer_to_server
from flyteplane.foundation.errors import Unavailable
from flyteplane.observe import get_logger
from flyteplane.records import open_migrated
from flyteplane.secrets.application.auditor import Auditor
from flyteplane.secrets.application.catalog import Catalog
from flyteplane.secrets.application.envelope import Envelope
from flyteplane.secrets.application.key_inventory import KeyInventory
from flyteplane.secrets.application.operation import Operation
from flyteplane.secrets.application.resolution import Resolution
from flyteplane.secrets.application.rewrapping import Rewrapping
from flyteplane.secrets.keys.providers import open_keys
from flyteplane.secrets.servicer.secrets_service import SecretsServicer
from flyteplane.secrets.settings import KEEP_AUDIT_DAYS, SecretsSettings
from flyteplane.secrets.store.sql_audit import SqlAudit
from flyteplane.secrets.store.sql_secrets import SqlSecrets

_DAY_S: Final = 24 * 3600.0

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock
    from flyteplane.secrets.application.ports import AuditTrail, KeyProvider, SecretRecords, TokenReader

_log = get_logger("secrets.keys")


class SecretsService:
    """The secrets service with its gRPC face."""

    def __init__(
        self,
        *,
        records: SecretRecords,
        trail: AuditTrail,
        keys: KeyProvider,
        tokens: TokenReader,
        clock: Clock,
        keep_audit_s: float = KEEP_AUDIT_DAYS * _DAY_S,
    ) -> None:
        envelope = Envelope(keys, random_bytes=secrets.token_bytes)
        self._records = records
        self.rewrapping = Rewrapping(records=records, envelope=envelope, keys=keys)
        self._servicer = SecretsServicer(
            Catalog(records=records, envelope=envelope, clock=clock),
            Resolution(
                records=records,
                envelope=envelope,
                tokens=tokens,
                auditor=Auditor(trail, clock=clock, keep_s=keep_audit_s),
            ),
            Operation(trail=trail, inventory=KeyInventory(records=records, keys=keys), rewrapping=self.rewrapping),
        )

    def add_to(self, server: Any) -> None:
        """Registers the servicer on a gRPC server, real or in process."""
        add_SecretsServiceServicer_to_server(self._servicer, server)

    async def close(self) -> None:
        """Closes the store."""
        await self._records.close()


async def open_secrets(
    *,
    database_url: str,
    keys_folder: Path,
    verifier: TokenReader,
    clock: Clock,
    environment: Mapping[str, str] | None = None,
    settings: SecretsSettings = SecretsSettings(),  # noqa: B008  # a frozen value
    epoch: int | None = None,
) -> SecretsService:
    """Opens the store and moves every secret under the current key.

    Keys that cannot be reached (Vault is away) do not keep it from opening: until they can, values are neither stored
    nor given, and every call says why.

    Args:
        keys_folder: where key files are, and where the first one is made if files are what the settings say.
        verifier: reads tokens; `flyteplane.rpc.tokens.TokenVerifier`.
        environment: where `keys.environment_keys` looks; that of the process when None.
        epoch: of the leadership under which it writes; None for a process that nobody can replace.

    Raises:
        FailedPrecondition: a key file is open to others; a key that secrets need is not there; the database is from a
            newer build.
        InvalidArgument: a key in the environment cannot be read.
        PlatformError: the store cannot be opened.
    """
    given = os.environ if environment is None else environment
    keys = open_keys(settings, folder=keys_folder, environment=given)
    database = await open_migrated(database_url, package="flyteplane.secrets.store.migrations", epoch=epoch)
    try:
        records, trail = SqlSecrets(database), SqlAudit(database)
        await KeyInventory(records=records, keys=keys).refuse_lost(
            given_up=settings.lost_keys, where=f"in {settings.folder or keys_folder} nor where else keys come from"
        )
        await keys.prepare()
        keep_audit_s = settings.keep_audit_days * _DAY_S
        service = SecretsService(
            records=records, trail=trail, keys=keys, tokens=verifier, clock=clock, keep_audit_s=keep_audit_s
        )
        await _rotate_if_possible(service.rewrapping)
        await trail.forget(before=clock.now() - keep_audit_s)
    except BaseException:
        await database.close()
        raise
    return service


async def _rotate_if_possible(rewrapping: Rewrapping) -> None:
    try:
        await rewrapping.run()
    except Unavailable as error:
        _log.warning("secret_keys_not_moved", problem=error.public_text)
