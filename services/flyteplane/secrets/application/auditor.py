"""Writes who asked for which secret, to the audit trail and to the service's log. Neither ever sees a value.

Both say the same. The trail is what counts: it is durable before the caller gets an answer.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from flyteplane.foundation.clock import Clock
from flyteplane.observe import get_logger
from flyteplane.rpc.tokens import Claims
from flyteplane.secrets.application.ports import AuditTrail
from flyteplane.secrets.domain.audit import AuditEntry, Outcome, Subject
from flyteplane.secrets.domain.names import SecretReference
from flyteplane.secrets.domain.values import SecretInfo

_FORGET_EVERY_S: Final = 3600.0
_log = get_logger("secrets.audit")


class Auditor:
    """Makes entries of what happened, and forgets those that are older than `keep_s`."""

    def __init__(self, trail: AuditTrail, *, clock: Clock, keep_s: float) -> None:
        self._trail = trail
        self._clock = clock
        self._keep_s = keep_s
        self._forget_at = 0.0

    async def given(self, claims: Claims, secrets: Mapping[SecretReference, SecretInfo]) -> None:
        """All secrets of a request are about to be given."""
        now, subject = self._clock.now(), subject_of(claims)
        await self._record(
            [
                AuditEntry(
                    at=now,
                    subject=subject,
                    secret=reference.id,
                    outcome=Outcome.GIVEN,
                    scope=info.name.scope,
                    version=info.version,
                )
                for reference, info in secrets.items()
            ]
        )

    async def refused(
        self, claims: Claims, references: Sequence[SecretReference], outcomes: Mapping[SecretReference, Outcome]
    ) -> None:
        """A request is about to be refused, because of those secrets that have an outcome."""
        now, subject = self._clock.now(), subject_of(claims)
        await self._record(
            [
                AuditEntry(
                    at=now,
                    subject=subject,
                    secret=reference.id,
                    outcome=outcomes.get(reference, Outcome.WITHHELD),
                )
                for reference in dict.fromkeys(references)
            ]
        )

    async def unread(self, claims: Claims | None, outcome: Outcome) -> None:
        """A request is about to be refused before its names were believed; no claims: nobody knows who asked."""
        subject = subject_of(claims) if claims is not None else Subject()
        await self._record([AuditEntry(at=self._clock.now(), subject=subject, secret="", outcome=outcome)])

    async def _record(self, entries: Sequence[AuditEntry]) -> None:
        if not entries:
            return
        await self._trail.record(entries)
        await self._forget_old()
        for entry in entries:
            write = _log.info if entry.outcome is Outcome.GIVEN else _log.warning
            write(f"secret_{entry.outcome.value}", **_facts(entry))

    async def _forget_old(self) -> None:
        now = self._clock.now()
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_S
            await self._trail.forget(before=now - self._keep_s)


def subject_of(claims: Claims) -> Subject:
    """Whom a token names."""
    return Subject(
        project=claims.project,
        domain=claims.domain,
        run=claims.run,
        action=claims.action,
        attempt=claims.attempt,
        lease=claims.lease,
        pool=claims.pool,
        replica=claims.replica,
    )


def _facts(entry: AuditEntry) -> dict[str, object]:
    """What the log says of an entry: everything that is not empty."""
    subject = entry.subject
    facts: dict[str, object] = {name: getattr(subject, name) for name in Subject.__slots__}
    facts |= {"secret": entry.secret, "version": entry.version}
    if entry.scope is not None:
        facts["scope"] = entry.scope.words
    return {name: fact for name, fact in facts.items() if fact}
