"""What the operator's file says of identity."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.identity.callers import Grant

#: Asymmetric only: with a shared secret whoever can verify a token could make one.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: Which of them are believed unless the file says otherwise.
DEFAULT_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
_LONGEST_LEEWAY_S: Final = 300.0
_PREFIXES_OF_THE_PLATFORM: Final = ("key:", "local:", "trigger:")


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """An identity provider. Raises InvalidArgument for what cannot be meant."""

    issuer: str
    """What tokens say in `iss`, exactly."""
    audience: str
    """What tokens must say in `aud`."""
    jwks_url: str = ""
    """Where its keys are. Empty: as its discovery document says."""
    ca_file: Path | None = None
    """Authorities for its certificate. None: those of the system."""
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    subject_claim: str = "sub"
    subject_prefix: str = "oidc:"
    groups_claim: str = "groups"
    group_prefix: str = "group:"
    leeway_s: float = 30.0
    """How far the clocks may be apart."""

    def __post_init__(self) -> None:
        _check_url(self.issuer, field="issuer")
        if self.jwks_url:
            _check_url(self.jwks_url, field="jwks_url")
        if not self.audience:
            raise InvalidArgument("tokens for everybody would be believed", field="audience", mend="Name the audience.")
        unknown = [name for name in self.algorithms if name not in ALGORITHMS]
        if unknown or not self.algorithms:
            raise InvalidArgument(
                f"the algorithm {', '.join(unknown) or 'list'} cannot be used",
                field="algorithms",
                mend=f"Use some of {', '.join(ALGORITHMS)}.",
            )
        if not 0 <= self.leeway_s <= _LONGEST_LEEWAY_S:
            raise InvalidArgument(
                f"{self.leeway_s:g} s of leeway", field="leeway_s", limit=f"0 to {_LONGEST_LEEWAY_S:g} s"
            )
        prefixes = (self.subject_prefix, self.group_prefix)
        if len({"", *prefixes, *_PREFIXES_OF_THE_PLATFORM}) != len(prefixes) + 1 + len(_PREFIXES_OF_THE_PLATFORM):
            raise InvalidArgument(
                "subjects, groups, keys and local users must be told apart by their prefixes",
                field="subject_prefix",
                mend="Give subject_prefix and group_prefix different words, such as 'oidc:' and 'group:'.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectGrant:
    """A role of a subject, by the operator's file."""

    subject: str
    grant: Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """The section `identity`. Raises InvalidArgument for issuers that cannot be told apart."""

    configured: bool = False
    """Whether there is such a section: then every listener asks for a credential, sockets included."""
    bootstrap_key_file: Path | None = None
    oidc: tuple[OidcSettings, ...] = ()
    grants: tuple[SubjectGrant, ...] = ()
    keep_audit_days: float = 400.0

    def __post_init__(self) -> None:
        for field in ("issuer", "subject_prefix", "group_prefix"):
            values = [getattr(one, field) for one in self.oidc]
            if len(set(values)) != len(values):
                raise InvalidArgument(
                    f"two identity providers have the same {field}, so that one could name the other's people",
                    field="oidc",
                    mend=f"Give each provider a {field} of its own.",
                )


def _check_url(url: str, *, field: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return
    raise InvalidArgument(
        f"{url!r} is no https address",
        field=field,
        mend="Use https: whoever can change keys on their way can make tokens. Plain http is for this machine only.",
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
