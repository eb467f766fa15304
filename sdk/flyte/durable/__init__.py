"""Time that an attempt after this one sees as well: the clock is read once, and a sleep ends when it was to end.

What is read is recorded like a traced call, so a task that is tried again or recovered is given what it was given
before. Each function is called, or awaited as `.aio`; outside of a task they are the plain clock and sleep.
"""

from flyte.durable.clock import now, sleep, time

__all__ = ["now", "sleep", "time"]
