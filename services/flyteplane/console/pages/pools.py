"""Pools of warm replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DrainPoolRequest, ListPoolsRequest
from flyteplane.console.pages.routes import change, page
from flyteplane.console.views.pools import pool_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit


async def pools(visit: Visit) -> Response:
    """All pools with their replicas."""
    found = await visit.platform.pools.ListPools(ListPoolsRequest())
    return visit.render("pools.html", pools=[pool_view(pool) for pool in found.pools])


async def drain(visit: Visit) -> Response:
    """Let a pool finish what runs, and remove it."""
    await visit.platform.pools.DrainPool(DrainPoolRequest(pool=visit.named["name"]))
    return visit.go_to("/pools")


ROUTES: Final = (page("/pools", pools), change("/pools/{name}/drain", drain))
