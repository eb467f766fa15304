"""What attempts get: values for whoever holds a token that names them.

All secrets of a request are read as of one moment, so that nobody sees one of them before an update and another after
it. A request is answered as a whole or refused as a whole, and the audit trail has it before the answer leaves.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flyteplane.foundation.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from flyteplane.rpc.tokens import Claims, TokenExpired
from flyteplane.secrets.application.auditor import Auditor, subject_of
from flyteplane.secrets.application.envelope import Envelope
from flyteplane.secrets.application.ports import SecretRecords, StoredSecret, TokenReader
from flyteplane.secrets.domain.audit import Outcome, Subject
from flyteplane.secrets.domain.names import SecretName, SecretReference, SecretScope, lookup_order
from flyteplane.secrets.domain.requests import Delivery, parse_requests
from flyteplane.secrets.domain.values import SecretInfo, SecretValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A value for an attempt."""

    value: SecretValue
    version: int


class Resolution:
    """The use cases of attempts, and of those who place them."""

    def __init__(self, *, records: SecretRecords, envelope: Envelope, tokens: TokenReader, auditor: Auditor) -> None:
        self._records = records
        self._envelope = envelope
        self._tokens = tokens
        self._auditor = auditor

    async def resolve(self, token: str, deliveries: Sequence[Delivery], *, bearer: Subject) -> Sequence[Resolved]:
        """Values in the order of the request.

        Args:
            bearer: whom they are for. The token must be this attempt's or replica's and nobody else's.

        Raises:
            Unauthenticated: the token is not ours or has expired.
            InvalidArgument: a name is malformed, or a value would go where none may.
            PermissionDenied: the token does not name a secret, or names another bearer.
            NotFound: no scope of the run has a secret.
            DataLoss, FailedPrecondition, Unavailable: a value cannot be decrypted.
        """
        claims = await self._verified(token)
        references = await self._parsed(deliveries, claims)
        await self._refuse_others(references, claims, bearer)
        await self._refuse_unnamed(references, claims)
        scope = SecretScope(claims.project, claims.domain)
        found = await self._records.fetch(_candidates(references, scope))
        secrets = {reference: one for reference, one in zip(references, found, strict=True) if one is not None}
        if missing := [reference for reference in references if reference not in secrets]:
            await self._auditor.refused(claims, references, dict.fromkeys(missing, Outcome.MISSING))
            raise _missing(missing, scope)
        return await self._opened(references, secrets, claims)

    async def versions(self, scope: SecretScope, deliveries: Sequence[Delivery]) -> Sequence[SecretInfo]:
        """What `resolve` would give now, without values. Raises InvalidArgument, NotFound."""
        references = parse_requests(deliveries)
        found = await self._records.locate(_candidates(references, scope))
        infos = [info for info in found if info is not None]
        if len(infos) < len(references):
            raise _missing([asked for asked, info in zip(references, found, strict=True) if info is None], scope)
        return infos

    async def _verified(self, token: str) -> Claims:
        try:
            return self._tokens.verify(token)
        except Unauthenticated as error:
            claims = error.claims if isinstance(error, TokenExpired) else None
            await self._auditor.unread(claims, Outcome.BAD_TOKEN)
            raise

    async def _parsed(self, deliveries: Sequence[Delivery], claims: Claims) -> Sequence[SecretReference]:
        try:
            return parse_requests(deliveries)
        except InvalidArgument:
            await self._auditor.unread(claims, Outcome.MALFORMED)
            raise

    async def _refuse_others(self, references: Sequence[SecretReference], claims: Claims, bearer: Subject) -> None:
        if subject_of(claims) == bearer:
            return
        await self._auditor.refused(claims, references, dict.fromkeys(references, Outcome.OTHER_BEARER))
        raise PermissionDenied(
            "the token names another attempt or replica than the secrets are for",
            reason="TOKEN_OF_ANOTHER",
            mend="Use the token of the attempt itself.",
        )

    async def _refuse_unnamed(self, references: Sequence[SecretReference], claims: Claims) -> None:
        unnamed = [reference for reference in references if reference.id not in claims.secrets]
        if not unnamed:
            return
        await self._auditor.refused(claims, references, dict.fromkeys(unnamed, Outcome.NOT_ASKED_FOR))
        raise PermissionDenied(
            f"the task did not ask for {_listed(unnamed)}",
            reason="SECRET_NOT_ASKED_FOR",
            mend="Name the secret in secrets= of the task or its environment.",
        )

    async def _opened(
        self, references: Sequence[SecretReference], secrets: Mapping[SecretReference, StoredSecret], claims: Claims
    ) -> Sequence[Resolved]:
        # All at once: keys may be far away.
        values = await asyncio.gather(
            *(self._envelope.open(secret.sealed, info=secret.info) for secret in secrets.values()),
            return_exceptions=True,
        )
        found = dict(zip(secrets, values, strict=True))
        errors = {reference: value for reference, value in found.items() if isinstance(value, BaseException)}
        if errors:
            await self._auditor.refused(claims, references, dict.fromkeys(errors, Outcome.FAILED))
            raise next(iter(errors.values()))
        await self._auditor.given(claims, {reference: secret.info for reference, secret in secrets.items()})
        versions = {reference: secret.info.version for reference, secret in secrets.items()}
        return [
            Resolved(value=value, version=versions[reference])
            for reference in references
            if isinstance(value := found[reference], SecretValue)
        ]


def _candidates(references: Sequence[SecretReference], scope: SecretScope) -> list[list[SecretName]]:
    scopes = lookup_order(scope)
    return [[reference.at(tried) for tried in scopes] for reference in references]


def _missing(references: Sequence[SecretReference], scope: SecretScope) -> NotFound:
    tried = "; ".join(one.words for one in lookup_order(scope))
    return NotFound(
        f"{_listed(references)} not found in any scope of the run ({tried})",
        reason="SECRET_NOT_FOUND",
        mend=f"Create it with `flyte create secret {references[0].key}`.",
        metadata={"secrets": ",".join(reference.id for reference in references)},
    )


def _listed(references: Sequence[SecretReference]) -> str:
    names = ", ".join(repr(reference.id) for reference in dict.fromkeys(references))
    return f"secret {names}" if len(set(references)) == 1 else f"secrets {names}"
