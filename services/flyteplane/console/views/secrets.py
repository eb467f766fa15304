"""Secrets as people may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyteplane.console.views.times import seconds_of

if TYPE_CHECKING:
    from flyteapi.secrets.v1.secrets_service_pb2 import SecretInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretView:
    """A secret without its value."""

    name: str
    scope: str
    version: int
    created_at: float | None
    updated_at: float | None


def secret_view(secret: SecretInfo) -> SecretView:
    """A secret of a message."""
    place = " / ".join(filter(None, (secret.scope.project, secret.scope.domain)))
    return SecretView(
        name=f"{secret.group}/{secret.key}" if secret.group else secret.key,
        scope=place or "everywhere",
        version=secret.version,
        created_at=seconds_of(secret, "created_at"),
        updated_at=seconds_of(secret, "updated_at"),
    )
