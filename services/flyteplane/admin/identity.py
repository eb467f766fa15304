"""The identity part of admin, wired: its stores, its use cases, its servicers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flyteplane.admin.application.audit_trail import AuditTrail
from flyteplane.admin.application.authentication import Authentication, FileKeys
from flyteplane.admin.application.keys_and_roles import KeysAndRoles
from flyteplane.admin.servicer.edge_service import EdgeServicer
from flyteplane.admin.servicer.identity_service import IdentityServicer, PlatformIdentity
from flyteplane.admin.store.api_keys import SqlKeyStore
from flyteplane.admin.store.audit import SqlAuditStore
from flyteplane.admin.store.role_grants import SqlRoleStore
from flyteplane.identity.key_files import MountedKey
from flyteplane.identity.oidc.verifier import OidcVerifier
from flyteplane.identity.revocations import Revocations
from flyteplane.identity.settings import IdentitySettings

if TYPE_CHECKING:
    from flyteplane.admin.domain.page_token import PageTokens
    from flyteplane.admin.servicer.context import CallerOf
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.ids import IdSource
    from flyteplane.records import Database

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityOptions:
    """What admin is told of identity."""

    settings: IdentitySettings = field(default_factory=IdentitySettings)
    owner_key: str = field(default="", repr=False)
    """The key of the platform's folder; empty: none."""
    revocations: Revocations = field(default_factory=Revocations)
    """Told of everything that somebody loses."""


@dataclass(frozen=True, slots=True)
class IdentityServicers:
    """One for each rpc service."""

    identity: IdentityServicer
    edge: EdgeServicer


def open_identity(
    database: Database,
    *,
    options: IdentityOptions,
    platform: PlatformIdentity,
    tokens: PageTokens,
    derivation_key: bytes,
    clock: TimerClock,
    ids: IdSource,
    caller_of: CallerOf,
) -> IdentityServicers:
    """Wire it. Raises FailedPrecondition (KEY_FILE) for a bootstrap key that cannot be used."""
    settings = options.settings
    keys, roles = SqlKeyStore(database), SqlRoleStore(database)
    authentication = Authentication(
        keys=keys,
        roles=roles,
        files=FileKeys(owner=options.owner_key, bootstrap=_bootstrap_key(settings)),
        tokens=OidcVerifier(settings.oidc, clock=clock),
        from_file=settings.grants,
        clock=clock,
    )
    keys_and_roles = KeysAndRoles(
        keys=keys,
        roles=roles,
        clock=clock,
        ids=ids,
        from_file=settings.grants,
        changed=options.revocations.note,
        tokens=tokens,
        derivation_key=derivation_key,
    )
    store, keep_s = SqlAuditStore(database), settings.keep_audit_days * _DAY_S
    audit = AuditTrail(store=store, tokens=tokens, clock=clock, keep_s=keep_s)
    return IdentityServicers(
        IdentityServicer(platform=platform, keys=keys_and_roles, audit=audit, caller_of=caller_of),
        EdgeServicer(authentication=authentication, audit=audit),
    )


def _bootstrap_key(settings: IdentitySettings) -> MountedKey | None:
    if settings.bootstrap_key_file is None:
        return None
    key = MountedKey(settings.bootstrap_key_file)
    key.check()
    return key
