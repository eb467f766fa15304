"""The reuse policy of an environment: how many warm replicas serve its tasks, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from flyte.spec.limits import MAX_DURATION_S, MAX_REPLICAS, MAX_REUSE_CONCURRENCY, MIN_REUSE_TTL_S
from flyte.spec.problems import InvalidSetting


@dataclass(frozen=True, slots=True)
class ReusePolicy:
    """Keep containers of an environment warm and give them one task after another.

    - `replicas`: how many, or (least, most); the pool grows with its backlog and shrinks when idle.
    - `idle_ttl`: the whole pool goes when it has had no task for so long (seconds or timedelta, at least 30 s).
    - `concurrency`: how many tasks one replica runs at once; more than 1 only for async tasks.
    - `scaledown_ttl`: one replica above the least goes when it has been idle for so long (at least 30 s).
    - `scope`: "global" shares the pool between runs, "run" keeps one for each run.

    Raises InvalidSetting, a ValueError.
    """

    replicas: int | tuple[int, int] = 2
    idle_ttl: int | timedelta = 30
    concurrency: int = 1
    scaledown_ttl: int | timedelta = 30
    scope: Literal["global", "run"] = "global"

    def __post_init__(self) -> None:
        object.__setattr__(self, "replicas", _check_replicas(self.replicas))
        object.__setattr__(self, "idle_ttl", _check_ttl("idle_ttl", self.idle_ttl))
        object.__setattr__(self, "scaledown_ttl", _check_ttl("scaledown_ttl", self.scaledown_ttl))
        _check_concurrency(self.concurrency)
        if self.scope not in ("global", "run"):
            raise InvalidSetting(f'scope must be "global" or "run", got {self.scope!r}', field="reusable.scope")

    @property
    def min_replicas(self) -> int:
        """The least number of replicas while the pool lives."""
        return self.replicas if isinstance(self.replicas, int) else self.replicas[0]

    @property
    def max_replicas(self) -> int:
        """The greatest number of replicas."""
        return self.replicas if isinstance(self.replicas, int) else self.replicas[1]

    @property
    def idle_ttl_s(self) -> float:
        """`idle_ttl` in seconds."""
        return _seconds(self.idle_ttl)

    @property
    def scaledown_ttl_s(self) -> float:
        """`scaledown_ttl` in seconds."""
        return _seconds(self.scaledown_ttl)

    def get_scaledown_ttl(self) -> timedelta | None:
        """Return `scaledown_ttl` as a timedelta."""
        return timedelta(seconds=self.scaledown_ttl_s)


def _check_replicas(replicas: object) -> tuple[int, int]:
    if replicas is None:
        raise InvalidSetting("replicas cannot be None", field="reusable.replicas")
    pair = (replicas, replicas) if isinstance(replicas, int) else replicas
    if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(count, int) for count in pair):
        raise InvalidSetting("replicas must be an int or a tuple of two ints", field="reusable.replicas")
    least, most = pair
    if least < 0:
        raise InvalidSetting(f"replicas min must be greater than or equal to 0, got {least}", field="reusable.replicas")
    if least > most:
        raise InvalidSetting(
            f"replicas min ({least}) must be less than or equal to max ({most})", field="reusable.replicas"
        )
    if most > MAX_REPLICAS:
        raise InvalidSetting(f"replicas max must be at most {MAX_REPLICAS}, got {most}", field="reusable.replicas")
    return int(least), int(most)


def _check_concurrency(concurrency: object) -> None:
    if not isinstance(concurrency, int):
        raise InvalidSetting(f"concurrency must be an int, got {concurrency!r}", field="reusable.concurrency")
    if concurrency < 1:
        raise InvalidSetting(f"concurrency must be at least 1, got {concurrency}", field="reusable.concurrency")
    if concurrency > MAX_REUSE_CONCURRENCY:
        raise InvalidSetting(
            f"concurrency must be at most {MAX_REUSE_CONCURRENCY}, got {concurrency}", field="reusable.concurrency"
        )


def _check_ttl(name: str, ttl: object) -> timedelta:
    if isinstance(ttl, int) and not isinstance(ttl, bool):
        seconds: float = ttl
    elif isinstance(ttl, timedelta):
        seconds = ttl.total_seconds()
    else:
        raise InvalidSetting(f"{name} must be an int (seconds) or a timedelta", field=f"reusable.{name}")
    if seconds < MIN_REUSE_TTL_S:
        raise InvalidSetting(f"{name} must be at least {MIN_REUSE_TTL_S} seconds", field=f"reusable.{name}")
    if seconds > MAX_DURATION_S:
        raise InvalidSetting(f"{name} must be at most {MAX_DURATION_S} seconds", field=f"reusable.{name}")
    return timedelta(seconds=seconds)


def _seconds(ttl: int | timedelta) -> float:
    return ttl.total_seconds() if isinstance(ttl, timedelta) else float(ttl)
