"""The courier of the platform: each kind of delivery by the one who can bring it.

Each is made when it is needed first: what mail and the web load is a good part of what a platform takes to start.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flyte.spec.notifications import Ending, Mail, WebRequest
from flyteplane.admin.application.notification_ports import NotTaken

if TYPE_CHECKING:
    from flyteplane.admin.clients.mail_courier import FolderMailCourier, ServerMailCourier
    from flyteplane.admin.clients.web_courier import WebCourier
    from flyteplane.admin.notifications import NotificationOptions


class Couriers:
    """See `notification_ports.Courier`."""

    def __init__(self, options: NotificationOptions) -> None:
        self._options = options

    async def bring(self, delivery: Mail | WebRequest, ending: Ending, *, name: str) -> None:
        if isinstance(delivery, WebRequest):
            await self._web.bring(delivery, ending, name=name)
        elif self._mail is not None:
            await self._mail.bring(delivery, ending, name=name)
        else:
            raise NotTaken("this platform sends no mail")

    def close(self) -> None:
        """Take no more."""
        if "_web" in self.__dict__:
            self._web.close()

    @cached_property
    def _web(self) -> WebCourier:
        from flyteplane.admin.clients.web_courier import WebCourier

        return WebCourier()

    @cached_property
    def _mail(self) -> ServerMailCourier | FolderMailCourier | None:
        from flyteplane.admin.clients.mail_courier import FolderMailCourier, ServerMailCourier

        if self._options.mail_server is not None:
            return ServerMailCourier(self._options.mail_server)
        return None if self._options.mail_folder is None else FolderMailCourier(self._options.mail_folder)
