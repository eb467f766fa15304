"""One function, two faces: `f(...)` blocks and `f.aio(...)` is awaited.

Everything of the SDK that speaks to the platform is written once, as a coroutine function, and wrapped with `syncify`.
Its coroutines run on one loop in a thread of its own, so that they work from a plain script, from a notebook whose loop
already runs and from a thread, and so that a gRPC channel always meets the loop that it belongs to.

`@syncify` wraps functions, async generator functions (the blocking face is an iterator), methods and class methods.
Calling the blocking face from the loop that would have to serve it raises `BlockingCallOnServingLoop` instead of
waiting for ever.
"""

from __future__ import annotations

from flyte.syncify.background_loop import BackgroundLoop, BlockingCallOnServingLoop
from flyte.syncify.either import EitherIteratorMethod, EitherMethod, Settled
from flyte.syncify.faces import SyncFunction, SyncGenerator, Syncify, syncify

__all__ = [
    "BackgroundLoop",
    "BlockingCallOnServingLoop",
    "EitherIteratorMethod",
    "EitherMethod",
    "Settled",
    "SyncFunction",
    "SyncGenerator",
    "Syncify",
    "syncify",
]
