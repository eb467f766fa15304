"""Secrets: names, scopes and versions. Values are nowhere to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1.secrets_service_pb2 import ListSecretsRequest, ListSecretsResponse
from flyteplane.console.pages.routes import page
from flyteplane.console.pages.scope import listed_for
from flyteplane.console.views.secrets import secret_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit

_PAGE: Final = 100


async def secrets(visit: Visit) -> Response:
    """A page of secrets."""

    async def listed(scope: Scope | None) -> ListSecretsResponse:
        request = ListSecretsRequest(scope=scope, page_size=_PAGE, page_token=visit.query.get("page", ""))
        return await visit.platform.secrets.ListSecrets(request)

    scope, found = await listed_for(visit, listed)
    views = [secret_view(secret) for secret in found.secrets]
    return visit.render("secrets.html", secrets=views, scope=scope, following=found.next_page_token)


ROUTES: Final = (page("/secrets", secrets),)
