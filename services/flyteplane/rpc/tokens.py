"""Tokens with which an attempt or a replica proves who it is and which secrets it may ask for.

A token is a signed JWT (HS256): whoever holds one can read it, only the platform can make one, and it holds until it
expires. It names one attempt, or one replica of a pool, and can be used for nothing else. It is short-lived: whoever
has a stream to the platform is given the next one over it, long before.

Every fresh attempt gets a token, most of them for no secret, so making one must cost nothing: a minter signs with the
standard library in about 10 us, where the JWT library would first have to be imported for 100 ms. Reading tokens is
what has to be right against strangers; that is left to the library, which is imported with the first one.
"""

import binascii
import hmac
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias

from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import Unauthenticated
from flyteplane.rpc.token_keys import KnownKeys, TokenKeys, name_of

#: How long a token holds unless told otherwise, in seconds.
DEFAULT_TTL_S: Final = 900.0
#: Longest text that is looked at as a token.
MOST_TOKEN_CHARACTERS: Final = 8192
#: Reason of every refusal of a token.
REFUSED: Final = "TOKEN"
_ALGORITHM: Final = "HS256"
_AUDIENCE: Final = "flyteplane"
_REQUIRED: Final = ["aud", "exp", "kind", "project", "domain", "secrets"]
_encode_json: Final = json.JSONEncoder(separators=(",", ":")).encode


def ttl_beyond(contacts_s: Iterable[float]) -> float:
    """How long tokens hold where workers go on for so long without an answer: whoever is still there when contact
    comes back has a token that holds."""
    return max((DEFAULT_TTL_S, *(4 * contact_s for contact_s in contacts_s)))


class TokenKind(StrEnum):
    """Whom a token names."""

    ATTEMPT = "attempt"
    REPLICA = "replica"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says. Empty where its kind has no such thing."""

    kind: TokenKind
    project: str
    domain: str
    secrets: frozenset[str]
    """Ids, as `secret_id` makes them, of the secrets that may be asked for."""
    expires_at: float
    """Seconds since the epoch."""
    run: str = ""
    action: str = ""
    attempt: int = 0
    lease: int = 0
    pool: str = ""
    replica: str = ""


class TokenExpired(Unauthenticated):
    """The token is ours, and too old. `claims` say whose it was."""

    def __init__(self, claims: Claims) -> None:
        super().__init__("the token has expired", reason=REFUSED, mend="A new attempt gets a new token.")
        self.claims = claims


def secret_id(key: str, group: str = "") -> str:
    """How tokens and people name a secret: `key` or `group/key`."""
    return f"{group}/{key}" if group else key


class TokenMinter:
    """Makes tokens.

    Args:
        key: 32 secret bytes, or keys of which the present one is used; the verifier must know it.
    """

    def __init__(self, key: bytes | TokenKeys, *, clock: Clock) -> None:
        self._key = _keys(key).present
        self._clock = clock
        header = {"alg": _ALGORITHM, "typ": "JWT", "kid": name_of(self._key)}
        self._header = _url_safe(_encode_json(header).encode())

    def attempt_token(
        self,
        *,
        project: str,
        domain: str,
        run: str,
        action: str,
        attempt: int,
        lease: int,
        secrets: Collection[str] = (),
        ttl_s: float = DEFAULT_TTL_S,
    ) -> str:
        """The token of one attempt under one lease; `secrets` are ids of those that its task asks for."""
        claims: dict[str, Any] = {"project": project, "domain": domain, "secrets": [*secrets]}
        claims |= {"run": run, "action": action, "attempt": attempt, "lease": lease}
        return self._sign(TokenKind.ATTEMPT, claims, ttl_s)

    def replica_token(
        self,
        *,
        project: str,
        domain: str,
        pool: str,
        replica: str,
        secrets: Collection[str] = (),
        ttl_s: float = DEFAULT_TTL_S,
    ) -> str:
        """The token of one replica; `secrets` are ids of those that the tasks of its pool ask for."""
        claims = {"project": project, "domain": domain, "secrets": [*secrets], "pool": pool, "replica": replica}
        return self._sign(TokenKind.REPLICA, claims, ttl_s)

    def _sign(self, kind: TokenKind, claims: dict[str, Any], ttl_s: float) -> str:
        claims |= {"aud": _AUDIENCE, "kind": kind.value, "exp": int(self._clock.now() + ttl_s)}
        signed = b"%b.%b" % (self._header, _url_safe(_encode_json(claims).encode()))
        return (b"%b.%b" % (signed, _url_safe(hmac.digest(self._key, signed, "sha256")))).decode("ascii")


class TokenVerifier:
    """Reads tokens.

    Args:
        key: 32 secret bytes, or keys of which any may have signed.
    """

    def __init__(self, key: bytes | TokenKeys, *, clock: Clock) -> None:
        self._keys = _keys(key)
        self._clock = clock

    def verify(self, token: str) -> Claims:
        """What the token says. Raises Unauthenticated (TOKEN) if it is not ours, TokenExpired if it is too old."""
        import jwt

        # Expiry is judged by our own clock, below.
        options: Any = {"require": _REQUIRED, "verify_exp": False, "verify_iat": False}
        try:
            key = self._key_of(token)
            content = jwt.decode(token, key, algorithms=[_ALGORITHM], audience=_AUDIENCE, options=options)
            claims = _claims(content)
        except (jwt.PyJWTError, ValueError, TypeError):
            # The library's message may quote the token.
            raise Unauthenticated(
                "the token was not made by this platform", reason=REFUSED, mend="Use the token of the attempt."
            ) from None
        if self._clock.now() >= claims.expires_at:
            raise TokenExpired(claims)
        return claims

    def _key_of(self, token: str) -> bytes:
        """The key that the token says it was signed with; raises what `verify` takes for a token that is not ours."""
        import jwt

        if len(token) > MOST_TOKEN_CHARACTERS:
            raise ValueError("too long")
        name = jwt.get_unverified_header(token).get("kid")
        key = self._keys.present if name is None else self._keys.named(str(name))
        if key is None:
            raise ValueError("signed with a key that is not ours")
        return key


class _Run(Protocol):
    """Identity of a run, as whoever mints has it."""

    @property
    def project(self) -> str: ...
    @property
    def domain(self) -> str: ...
    @property
    def name(self) -> str: ...


class _SecretRequest(Protocol):
    """A secret that a task asks for; `flyteapi.task.v1.SecretRequest` is one."""

    key: str
    group: str


#: Makes the token of an attempt from its run, action, number, lease and the secrets that its task asks for.
MintAttemptToken: TypeAlias = Callable[[Any, str, int, int, Sequence[Any]], str]


def attempt_token_mint(minter: TokenMinter, *, ttl_s: float = DEFAULT_TTL_S) -> MintAttemptToken:
    """The minter as the one function that a scheduler needs."""

    def mint(run: _Run, action: str, attempt: int, lease: int, requests: Sequence[_SecretRequest]) -> str:
        return minter.attempt_token(
            project=run.project,
            domain=run.domain,
            run=run.name,
            action=action,
            attempt=attempt,
            lease=lease,
            secrets=_ids(requests),
            ttl_s=ttl_s,
        )

    return mint


class ReplicaTokens:
    """Makes and reads the tokens of replicas and of the attempts on them, as a reuse pool needs them.

    Args:
        ttl_s: how long they hold.
    """

    def __init__(self, minter: TokenMinter, verifier: TokenVerifier, *, ttl_s: float = DEFAULT_TTL_S) -> None:
        self._minter = minter
        self._verifier = verifier
        self.ttl_s = ttl_s

    def mint(self, declaration: Any, *, replica: str) -> str:
        """With which a reuse pool asks for the secrets of a replica; it never leaves the platform.

        Args:
            declaration: of the pool (`flyteapi.reuse_pool.v1.DeclarePool`).
        """
        return self._token(declaration, replica, secrets=_ids(declaration.template.secrets))

    def hello_token(self, declaration: Any, *, replica: str) -> str:
        """With which a replica says Hello. It can be read where the replica runs, so it opens nothing else."""
        return self._token(declaration, replica, secrets=())

    def attempt_token(self, assign: Any, *, lease: int) -> str:
        """With which the replica reads and writes the data of an attempt; no secret can be asked for with it.

        Args:
            assign: what the replica is given (`flyteapi.scheduler.v1.Assign`).
        """
        project, domain, run = assign.run.split("/", 2)
        return self._minter.attempt_token(
            project=project,
            domain=domain,
            run=run,
            action=assign.action,
            attempt=assign.attempt,
            lease=lease,
            ttl_s=self.ttl_s,
        )

    def claims(self, token: str) -> Claims:
        """What a token says. Raises as `TokenVerifier.verify`."""
        return self._verifier.verify(token)

    def _token(self, declaration: Any, replica: str, *, secrets: Collection[str]) -> str:
        return self._minter.replica_token(
            project=declaration.scope.project,
            domain=declaration.scope.domain,
            pool=declaration.pool,
            replica=replica,
            secrets=secrets,
            ttl_s=self.ttl_s,
        )


def _ids(requests: Iterable[_SecretRequest]) -> list[str]:
    return [secret_id(request.key, request.group) for request in requests]


def _claims(content: Mapping[str, Any]) -> Claims:
    return Claims(
        kind=TokenKind(content["kind"]),
        project=content["project"],
        domain=content["domain"],
        secrets=frozenset(content["secrets"]),
        expires_at=float(content["exp"]),
        run=content.get("run", ""),
        action=content.get("action", ""),
        attempt=content.get("attempt", 0),
        lease=content.get("lease", 0),
        pool=content.get("pool", ""),
        replica=content.get("replica", ""),
    )


def _keys(given: bytes | TokenKeys) -> TokenKeys:
    return KnownKeys(given) if isinstance(given, bytes) else given


def _url_safe(content: bytes) -> bytes:
    return binascii.b2a_base64(content, newline=False).translate(_URL_SAFE).rstrip(b"=")


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
