"""What the agent is told by the variables of its container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

_PREFIX: Final = "FLYTE_WORKER_"
_ENDPOINTS, _TOKEN, _NAME, _CONTACT = (f"{_PREFIX}{name}" for name in ("ENDPOINTS", "TOKEN", "NAME", "CONTACT_S"))
_REPLICA: Final = f"{_PREFIX}REPLICA"
_AUTHORITIES: Final = f"{_PREFIX}CA"
_REPLICA_ENDPOINTS: Final = "FLYTE_REPLICA_ENDPOINTS"


class SettingsError(ValueError):
    """A variable is missing or wrong; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """Where the schedulers are and who this worker is."""

    endpoints: tuple[str, ...]
    """host:port of the schedulers' listeners for workers."""
    token: str = field(repr=False)
    """Of the attempt, or of the replica."""
    name: str
    contact_s: float
    """Without an answer for so long the task is killed."""
    replica: bool = False
    """Whether it carries out one attempt after the other, for a reuse pool."""
    replica_endpoints: tuple[str, ...] = ()
    """host:port of the reuse pool's listeners for replicas."""
    authorities: str = ""
    """PEM of those by which all these listeners are judged; empty for listeners without TLS."""

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Self:
        """Reads the variables. Raises SettingsError."""
        endpoints = _listed(env.get(_ENDPOINTS, ""))
        if not endpoints:
            raise SettingsError(f"{_ENDPOINTS} is empty; it lists host:port of schedulers, separated by commas")
        if not env.get(_TOKEN):
            raise SettingsError(f"{_TOKEN} is empty; it is the token of the attempt, or of the replica")
        try:
            contact_s = float(env.get(_CONTACT, ""))
        except ValueError:
            contact_s = 0.0
        if not 0 < contact_s < float("inf"):
            raise SettingsError(f"{_CONTACT} is {env.get(_CONTACT, '')!r}; it is a number of seconds above 0")
        if env.get(_REPLICA, "") not in ("", "0", "1"):
            raise SettingsError(f"{_REPLICA} is {env[_REPLICA]!r}; it is 1 for a replica and missing otherwise")
        return cls(
            endpoints=endpoints,
            token=env[_TOKEN],
            name=env.get(_NAME, "worker"),
            contact_s=contact_s,
            replica=env.get(_REPLICA) == "1",
            # Where all services are one process they have one listener.
            replica_endpoints=_listed(env.get(_REPLICA_ENDPOINTS, "")) or endpoints,
            authorities=env.get(_AUTHORITIES, ""),
        )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def environment_of_task(env: Mapping[str, str]) -> dict[str, str]:
    """The container's variables without those that are the agent's own."""
    return {name: value for name, value in env.items() if not name.startswith(_PREFIX) and name != _REPLICA_ENDPOINTS}
