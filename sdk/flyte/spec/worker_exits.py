"""With which codes a worker in a pod ends where its task has not chosen one; the scheduler reads them from the pod."""

from __future__ import annotations

from typing import Final

ENDED: Final = 0
"""The attempt's end was delivered, or is nobody's business any more."""

MISCONFIGURED: Final = 64
"""The variables that tell the agent what to do are missing or wrong."""

OUT_OF_CONTACT: Final = 75
"""No scheduler was heard for too long; the task was killed, since somebody else may be given its attempt."""

ATTEMPT_OVER: Final = 76
"""The scheduler says that the attempt is over."""

REFUSED: Final = 77
"""The scheduler does not accept the token."""

SIGNAL_BASE: Final = 128
"""Plus the number of the signal that ended the task, as shells have it."""

DEFECT: Final = 70
"""The agent or the worker program failed at its own work."""
