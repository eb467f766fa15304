"""How long to wait before a page is brought up to date again."""

from __future__ import annotations

from typing import Final

_SOONEST_S: Final = 0.25
_LATEST_S: Final = 3.0
#: What takes long is done less often: it takes a thirtieth of the time, or there is nothing new for `_LATEST_S`.
_SHARE: Final = 30


def pause_after(took_s: float) -> float:
    """Seconds to wait after an update that took so long."""
    return min(max(_SOONEST_S, took_s * _SHARE), _LATEST_S)
