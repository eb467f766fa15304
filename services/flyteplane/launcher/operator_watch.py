"""Notices that the operator's file is another one than before, so that nobody has to send a signal.

The kernel tells (inotify) what happens in the folder of the file: a file that was written and closed, one that was put
in its place, and what the kubelet does where the file is a key of a mounted ConfigMap. That key is a link to a file in
a folder behind the link `..data`, and a new ConfigMap is a new folder to which `..data` is turned around, at once for
all keys. A file that is a link to somewhere else altogether is not followed; SIGHUP works in any case.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from flyteplane.observe import get_logger

_log = get_logger("launcher")
#: The link that the kubelet turns around when a mounted ConfigMap or Secret has changed.
_KUBELET_LINK: Final = "..data"


async def watch_operator_file(path: Path, changed: Callable[[], None]) -> None:
    """Calls `changed` each time that the file may say something new, until it is cancelled.

    Returns where the kernel cannot tell: on other systems, or with the user's last inotify instance taken.
    """
    if sys.platform != "linux":
        return
    from asyncinotify import Inotify, Mask

    names = (path.name, _KUBELET_LINK)
    try:
        with Inotify() as inotify:
            inotify.add_watch(path.parent, Mask.CLOSE_WRITE | Mask.MOVED_TO)
            # What was changed before the watch was there is read now: a file taken twice does no harm.
            changed()
            async for event in inotify:
                if str(event.name) in names or Mask.Q_OVERFLOW in event.mask:
                    changed()
    except OSError as error:
        _log.warning(
            "operator_file_not_watched", path=str(path), problem=str(error), mend="Send SIGHUP after a change."
        )
