"""Pools of warm replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DrainPoolRequest, ListPoolsRequest, WatchPoolsRequest
from flyteplane.console.live import stream
from flyteplane.console.live_lists import Lists, follow_lists
from flyteplane.console.pages.routes import change, page
from flyteplane.console.pages.scope import ScopeChoice, listed_for
from flyteplane.console.views.pools import PoolView, pool_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit


async def pools(visit: Visit) -> Response:
    """Pools with their replicas."""
    scope, found = await _views(visit)
    return visit.render("pools.html", pools=found, scope=scope, live=f"/pools/events?{visit.request.url.query}")


async def events(visit: Visit) -> Response:
    """The pools as they change."""
    # Whoever may not see them is told so by a status, not by a stream that breaks.
    scope, _ = await _views(visit)
    changes = visit.platform.pools.WatchPools(WatchPoolsRequest(scope=scope.asked))
    return stream(follow_lists(changes, lambda: _panels(visit)))


async def _panels(visit: Visit) -> Lists:
    _, found = await _views(visit)
    return {"pools": {view.key: visit.piece("pool_panel.html", pool=view) for view in found}}


async def _views(visit: Visit) -> tuple[ScopeChoice, list[PoolView]]:
    async def listed(scope: Scope | None) -> list[PoolView]:
        found = await visit.platform.pools.ListPools(ListPoolsRequest(scope=scope))
        return [pool_view(pool) for pool in found.pools]

    return await listed_for(visit, listed)


async def drain(visit: Visit) -> Response:
    """Let a pool finish what runs, and remove it."""
    await visit.platform.pools.DrainPool(DrainPoolRequest(pool=visit.named["name"]))
    return visit.go_to("/pools")


ROUTES: Final = (page("/pools", pools), page("/pools/events", events), change("/pools/{name}/drain", drain))
