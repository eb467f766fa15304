"""The pages, one family a file. A page is added so:

1. `pages/queues.py`:

    async def queues(visit: Visit) -> Response:
        found = await visit.platform.queues.ListQueues(ListQueuesRequest())
        return visit.render("queues.html", queues=[queue_view(queue) for queue in found.queues])

    async def drain(visit: Visit) -> Response:
        await visit.platform.queues.DrainQueue(DrainQueueRequest(name=visit.named["name"]))
        return visit.go_to("/queues")

    ROUTES: Final = (page("/queues", queues), change("/queues/{name}/drain", drain))

2. Its `ROUTES` are added to `families` below, and its menu entry to `visit.MENU`.
3. `views/queues.py` makes plain values of messages: pure, tested without a platform.
4. `templates/queues.html` extends `base.html` and fills the blocks `title` and `content`. Each form that changes
   something is `<form method="post" action="...">` with `{{ token_field() }}` (import it from `parts.html`); scripts
   send the token as the header `X-Form-Token` (`post` of static/console.js does).
   Scripts and styles are files of `static/`, addressed by `asset("name")`; inline ones are refused by the policy.

Nobody is let in without a session, and no change without its token; pages need not look. Failed calls may be raised:
what is not there or may not be seen becomes one and the same page "not found", the rest a page that says what is wrong
(see `failures`). Texts need no care: everything is escaped, and characters that act are shown as signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteplane.console.pages.routes import PageRoute, change, page

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PageRoute", "change", "families", "page"]


def families() -> Sequence[PageRoute]:
    """The routes of all pages."""
    from flyteplane.console.pages import (
        action,
        clusters,
        launch,
        logs,
        pools,
        queues,
        report,
        run,
        runs,
        secrets,
        tasks,
        triggers,
    )

    families = (action, clusters, launch, logs, pools, queues, report, run, runs, secrets, tasks, triggers)
    return [route for family in families for route in family.ROUTES]
