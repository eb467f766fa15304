"""The courier of the platform: each kind of delivery by the one who can bring it."""

from flyte.spec.notifications import Ending, Mail, WebRequest
from flyteplane.admin.application.notification_ports import NotTaken
from flyteplane.admin.clients.mail_courier import FolderMailCourier, ServerMailCourier
from flyteplane.admin.clients.web_courier import WebCourier
from flyteplane.admin.notifications import NotificationOptions


class Couriers:
    """See `notification_ports.Courier`."""

    def __init__(self, options: NotificationOptions) -> None:
        self._web = WebCourier()
        self._mail: ServerMailCourier | FolderMailCourier | None = None
        if options.mail_server is not None:
            self._mail = ServerMailCourier(options.mail_server)
        elif options.mail_folder is not None:
            self._mail = FolderMailCourier(options.mail_folder)

    async def bring(self, delivery: Mail | WebRequest, ending: Ending, *, name: str) -> None:
        if isinstance(delivery, WebRequest):
            await self._web.bring(delivery, ending, name=name)
        elif self._mail is not None:
            await self._mail.bring(delivery, ending, name=name)
        else:
            raise NotTaken("this platform sends no mail")

    def close(self) -> None:
        """Take no more."""
        self._web.close()
