"""What the reuse pool needs from the outside, as ports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretValues:
    """Values of secrets. In memory only; `repr` shows none of them."""

    env: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """By environment variable."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """By absolute path."""


NO_SECRETS = SecretValues()


class SecretsPort(Protocol):
    """Where replicas get the secrets from that the tasks of their pool ask for."""

    async def resolve(self, declaration: DeclarePool, *, replica: str) -> SecretValues:
        """The values for one replica. Raises PlatformError; NotFound names the secret that does not exist."""


class TokenMinter(Protocol):
    """Makes the token with which a replica's secrets are asked for."""

    def mint(self, declaration: DeclarePool, *, replica: str) -> str:
        """A short-lived token that names the replica, its project and domain, and the secrets of its template."""


class ReplicaTokens(Protocol):
    """Checks the token that a replica says Hello with over the network."""

    def replica_of(self, token: str) -> str:
        """The name of the replica that the token was made for. Raises Unauthenticated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRecord:
    """A pool as it is registered. Times are seconds since the epoch."""

    name: str
    project: str
    domain: str
    environment: str
    run: str
    created_at: float
    """When an identity of this name was first declared, in whatever life of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRecord:
    """A replica as it is registered."""

    name: str
    pool: str
    started_at: float


class PoolStore(Protocol):
    """The durable register of pools and replicas. It is written when one comes or goes, never for an attempt."""

    async def pools(self) -> Sequence[PoolRecord]:
        """Every pool that is known, ended or not."""

    async def living_replicas(self) -> Sequence[ReplicaRecord]:
        """Replicas that were started and not noted as ended: after a crash, those to look after."""

    async def note_pool(self, pool: PoolRecord) -> None:
        """Register a pool that was opened. One that is known keeps its `created_at` and lives again."""

    async def note_pool_end(self, name: str, *, at: float, reason: str) -> None:
        """Note that a pool is gone."""

    async def note_replica(self, replica: ReplicaRecord) -> None:
        """Register a replica that is about to be started. Idempotent."""

    async def note_replica_end(self, name: str, *, at: float, reason: str) -> None:
        """Note that a replica is gone. Idempotent."""

    async def prune(self, *, before: float) -> None:
        """Forget pools and replicas that ended before a time."""

    async def close(self) -> None:
        """Let go of the store."""
