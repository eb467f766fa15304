"""Secrets: names, scopes and versions. Values are nowhere to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.secrets.v1.secrets_service_pb2 import ListSecretsRequest
from flyteplane.console.pages.routes import page
from flyteplane.console.views.secrets import secret_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit

_PAGE: Final = 100


async def secrets(visit: Visit) -> Response:
    """A page of secrets of all scopes that the visitor may see."""
    found = await visit.platform.secrets.ListSecrets(
        ListSecretsRequest(page_size=_PAGE, page_token=visit.query.get("page", ""))
    )
    return visit.render(
        "secrets.html", secrets=[secret_view(secret) for secret in found.secrets], following=found.next_page_token
    )


ROUTES: Final = (page("/secrets", secrets),)
