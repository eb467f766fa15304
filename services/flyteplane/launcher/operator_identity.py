"""From the section `identity` of an operator's file to settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.identity.callers import Grant, Role, Scope
from flyteplane.identity.settings import DEFAULT_ALGORITHMS, IdentitySettings, OidcSettings, SubjectGrant

if TYPE_CHECKING:
    from flyteplane.launcher import operator_schema as schema


def identity_settings(given: schema.Identity, *, folder: Path) -> IdentitySettings:
    """The settings of identity; `folder` is where relative paths begin. Raises InvalidArgument."""
    settings = IdentitySettings(
        configured=True,
        bootstrap_key_file=_path(folder, given.bootstrap_key_file),
        oidc=tuple(_oidc(one, folder=folder) for one in given.oidc),
        grants=tuple(_grant(one) for one in given.grants),
        keep_audit_days=given.keep_audit_days,
    )
    _refuse_nobodys_grants(settings)
    return settings


def _oidc(given: schema.Oidc, *, folder: Path) -> OidcSettings:
    return OidcSettings(
        issuer=given.issuer,
        audience=given.audience,
        jwks_url=given.jwks_url,
        ca_file=_path(folder, given.ca_file),
        algorithms=DEFAULT_ALGORITHMS if given.algorithms is None else tuple(given.algorithms),
        subject_claim=given.subject_claim,
        subject_prefix=given.subject_prefix,
        groups_claim=given.groups_claim,
        group_prefix=given.group_prefix,
        leeway_s=given.leeway_s,
    )


def _grant(given: schema.RoleGrant) -> SubjectGrant:
    return SubjectGrant(
        subject=given.subject, grant=Grant(Role[given.role.upper()], Scope(given.project, given.domain))
    )


def _refuse_nobodys_grants(settings: IdentitySettings) -> None:
    """A role for a subject that no provider can name is a slip of the pen, and would be missed when it matters."""
    prefixes = [prefix for one in settings.oidc for prefix in (one.subject_prefix, one.group_prefix)]
    for one in settings.grants:
        if not any(one.subject.startswith(prefix) and len(one.subject) > len(prefix) for prefix in prefixes):
            raise InvalidArgument(
                f"nobody can be {one.subject!r}",
                field="grants",
                mend=f"Subjects begin with {' or '.join(prefixes)}."
                if prefixes
                else "Name a provider in identity.oidc.",
            )


def _path(folder: Path, given: str | None) -> Path | None:
    return None if given is None else folder / Path(given).expanduser()
