"""Wires the secrets service: its keys, its store, its use cases and its servicer."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyteapi.secrets.v1.secrets_service_pb2_grpc import add_SecretsServiceServicer_to_server
from flyteplane.records import migrate, open_database
from flyteplane.secrets.application.auditor import Auditor
from flyteplane.secrets.application.catalog import Catalog
from flyteplane.secrets.application.envelope import Envelope
from flyteplane.secrets.application.resolution import Resolution
from flyteplane.secrets.application.rewrapping import Rewrapping
from flyteplane.secrets.keys.environment_keys import environment_keys
from flyteplane.secrets.keys.file_keys import FileKeys
from flyteplane.secrets.servicer import SecretsServicer
from flyteplane.secrets.store.sql_audit import SqlAudit
from flyteplane.secrets.store.sql_secrets import SqlSecrets

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock
    from flyteplane.secrets.application.ports import AuditTrail, KeyProvider, SecretRecords, TokenReader

#: How long the audit trail reaches back.
KEEP_AUDIT_S: Final = 400 * 24 * 3600.0


class SecretsService:
    """The secrets service with its gRPC face."""

    def __init__(
        self, *, records: SecretRecords, trail: AuditTrail, keys: KeyProvider, tokens: TokenReader, clock: Clock
    ) -> None:
        envelope = Envelope(keys, random_bytes=secrets.token_bytes)
        self._records = records
        self._servicer = SecretsServicer(
            Catalog(records=records, envelope=envelope, clock=clock),
            Resolution(records=records, envelope=envelope, tokens=tokens, auditor=Auditor(trail, clock=clock)),
        )
        self.rewrapping = Rewrapping(records=records, envelope=envelope, keys=keys)

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
) -> SecretsService:
    """Opens the store and moves every secret under the current key.

    Args:
        keys_folder: where key files are, and where the first one is made; not used if the environment has keys.
        verifier: reads tokens; `flyteplane.rpc.tokens.TokenVerifier`.
        environment: where `keys.environment_keys` looks; that of the process when None.

    Raises:
        FailedPrecondition: a key file is open to others; the database is from a newer build.
        InvalidArgument: a key in the environment cannot be read.
        PlatformError: the store cannot be opened.
    """
    given = os.environ if environment is None else environment
    keys: KeyProvider = environment_keys(given, random_bytes=secrets.token_bytes) or FileKeys(
        keys_folder, random_bytes=secrets.token_bytes
    )
    database = await open_database(database_url)
    try:
        await migrate(database, package="flyteplane.secrets.store.migrations")
        trail = SqlAudit(database)
        service = SecretsService(records=SqlSecrets(database), trail=trail, keys=keys, tokens=verifier, clock=clock)
        await service.rewrapping.run()
        await trail.forget(before=clock.now() - KEEP_AUDIT_S)
    except BaseException:
        await database.close()
        raise
    return service
