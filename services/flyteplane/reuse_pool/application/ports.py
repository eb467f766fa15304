"""What the reuse pool needs from the outside, as ports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import Assign
    from flyteplane.rpc.tokens import Claims


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretValues:
    """Values of secrets. In memory only; `repr` shows none of them."""

    env: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """By environment variable."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """By absolute path."""


NO_SECRETS: Final = SecretValues()


class SecretsPort(Protocol):
    """Where replicas get the secrets from that the tasks of their pool ask for."""

    async def resolve(self, declaration: DeclarePool, *, replica: str) -> SecretValues:
        """The values for one replica. Raises PlatformError; NotFound names the secret that does not exist."""


class TokenMinter(Protocol):
    """Makes the token with which a replica's secrets are asked for."""

    def mint(self, declaration: DeclarePool, *, replica: str) -> str:
        """A short-lived token that names the replica, its project and domain, and the secrets of its template."""


class ReplicaTokens(Protocol):
    """Makes and reads the tokens of replicas over the network, and of the attempts on them."""

    @property
    def ttl_s(self) -> float:
        """How long they hold."""

    def hello_token(self, declaration: DeclarePool, *, replica: str) -> str:
        """A token that names the replica and its pool, and can be used for nothing else: no secret, no data."""

    def attempt_token(self, assign: "Assign", *, lease: int) -> str:
        """With which the replica reads and writes the data of an attempt: no secret."""

    def claims(self, token: str) -> "Claims":
        """What a token says. Raises Unauthenticated if it is not ours, TokenExpired if it is too old."""


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
    declaration: bytes = b""
    """The `DeclarePool` of the wire, serialised: what a later leader opens it with."""
    min_replicas: int | None = None
    """Bounds that people have given it since; None for those of its declaration."""
    max_replicas: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRecord:
    """A replica as it is registered."""

    name: str
    pool: str
    started_at: float
    cluster: str = ""
    """Where it was started."""
    overflow: bool = False
    warm: bool = False
    """It has said Hello, so that it may have been given attempts."""
    draining: bool = False
    """It was told to finish what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a leader finds when it takes the register over."""

    epoch: int
    """Its own; every write compares it."""
    scheduler: int
    """Epoch of the scheduler that was listened to last: none before it is listened to again."""


class PoolStore(Protocol):
    """The durable register of pools and replicas. It is written when one comes or goes, never for an attempt.

    Every write raises Aborted (FENCED) and changes nothing once another epoch has been claimed.
    """

    async def claim(self, *, at_least: int) -> Claim:
        """Take the register over with an epoch above the stored one and not below `at_least`."""

    async def note_scheduler(self, epoch: int) -> None:
        """Note that a scheduler of this epoch is listened to from now on."""

    async def pools(self) -> Sequence[PoolRecord]:
        """Every pool that is known, ended or not."""

    async def living_replicas(self) -> Sequence[ReplicaRecord]:
        """Replicas that were started and not noted as ended: after a crash, those to look after."""

    async def note_pool(self, pool: PoolRecord) -> None:
        """Register a pool that was opened. One that is known keeps its `created_at` and lives again, without bounds of
        its own."""

    async def note_bounds(self, name: str, *, min_replicas: int, max_replicas: int) -> None:
        """Note the bounds that people gave a pool."""

    async def note_pool_end(self, name: str, *, at: float, reason: str) -> None:
        """Note that a pool is gone."""

    async def note_replica(self, replica: ReplicaRecord) -> None:
        """Register a replica that is about to be started. Idempotent."""

    async def note_warm(self, name: str) -> None:
        """Note that a replica has said Hello. Idempotent."""

    async def note_draining(self, name: str) -> None:
        """Note that a replica was told to drain. Idempotent."""

    async def note_replica_end(self, name: str, *, at: float, reason: str) -> None:
        """Note that a replica is gone. Idempotent."""

    async def prune(self, *, before: float) -> None:
        """Forget pools and replicas that ended before a time."""

    async def close(self) -> None:
        """Let go of the store."""
