"""What is useful beside tasks and needs no service of its own: batches made of the records of many producers.

What the peer SDK keeps here that needs a backend is absent, and asking for it says what to do instead.
"""

from __future__ import annotations

from typing import Any, Final

from flyte.extras.batching import BatchStats, CostEstimator, DynamicBatcher
from flyte.extras.token_batching import Prompt, TokenBatcher, TokenEstimator

__all__ = [
    "BatchStats",
    "CostEstimator",
    "DynamicBatcher",
    "Prompt",
    "TokenBatcher",
    "TokenEstimator",
]

_ABSENT: Final = {
    "ContainerTask": "Start the program from a task whose environment has the image: subprocess.run(...).",
    "Sleep": "Use flyte.durable.sleep inside of a task.",
    "SleepTask": "Use flyte.durable.sleep inside of a task.",
    "model_streamer": "Read the model with flyte.io.File(...).open().",
    "serialize": "Use flyte.deploy(env, dry_run=True).",
    "serialize_env": "Use flyte.deploy(env, dry_run=True).",
    "shell": "Start the program from a task: subprocess.run(...).",
    "webhooks": "Start runs from a service of your own with flyte.run.",
}


def __getattr__(name: str) -> Any:
    if name in _ABSENT:
        raise ImportError(f"flyte.extras.{name} is not part of this SDK. {_ABSENT[name]}")
    raise AttributeError(f"module 'flyte.extras' has no attribute {name!r}")
