"""Which values must not be seen in what an attempt writes and raises: those of the secrets that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.worker_service_pb2 import Assign

if TYPE_CHECKING:
    from flyte.spec.masking import Mask

_NO_VALUES: Final[frozenset[bytes]] = frozenset()


class KnownSecrets:
    """Makes the masks of attempts.

    All attempts of a replica have the same secrets, so the last mask nearly always fits again.
    """

    def __init__(self) -> None:
        self._values = _NO_VALUES
        self._mask: Mask | None = None

    def mask(self, assign: Assign) -> Mask | None:
        """The mask of an attempt; None if it has no secrets, or none that can be recognised."""
        if not assign.secret_env and not assign.secret_files:
            return None
        values = frozenset((*assign.secret_env.values(), *assign.secret_files.values()))
        if values != self._values:
            from flyte.spec.masking import Mask

            self._values, self._mask = values, Mask.of(values)
        return self._mask
