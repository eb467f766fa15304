"""Every limit of the configuration, in one place, with its unit in the name.

The SDK refuses what is beyond a limit before it is sent, and the services refuse it again with the same numbers.
"""

from __future__ import annotations

from typing import Final

MAX_INLINE_IO_BYTES: Final = 100 * 1024 * 1024
"""Default of `max_inline_io_bytes`: the most that all inputs, or all outputs, of one action may weigh inline."""

INLINE_ON_STREAM_BYTES: Final = 256 * 1024
"""Values up to this size travel inside the messages; larger ones go to the object store and travel as a reference."""

MIN_REUSE_TTL_S: Final = 30
"""The shortest `idle_ttl` and `scaledown_ttl` of a reuse policy."""

MAX_REPLICAS: Final = 10_000
"""The most replicas that one reuse policy may ask for."""

MAX_REUSE_CONCURRENCY: Final = 10_000
"""The most tasks that one replica may run at once."""

MOST_INTRODUCED: Final = 5_000
"""Task versions, and as many runs, that a reuse pool takes a replica to know; beyond that it is told all anew. A
replica remembers twice as many: an override makes a version of its own, so there may be one for each action."""

MAX_RETRIES: Final = 1_000
"""The most retries of one action for failures of the task."""

MAX_DURATION_S: Final = 366 * 24 * 3600
"""The longest timeout, back-off or time to live: one leap year."""

MAX_DESCRIPTION_LENGTH: Final = 255
"""Longer descriptions of environments are cut, with a warning."""

MAX_ENV_VARS: Final = 1_000
"""The most environment variables of one task."""

MAX_ENV_VARS_BYTES: Final = 256 * 1024
"""The most that names and values of all environment variables of one task may weigh together."""

MAX_SECRETS: Final = 100
"""The most secrets of one task."""

MAX_TRIGGERS: Final = 100
"""The most triggers of one task."""

MIN_ACTION_CONCURRENCY: Final = 2
"""The least run-level limit of concurrent actions, beside 0 for none: with 1 a parent would block its own child."""
