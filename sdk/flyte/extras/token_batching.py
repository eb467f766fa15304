"""Batches by tokens, for calls of language models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, runtime_checkable

from flyte.extras.batching import DynamicBatcher

RecordT = TypeVar("RecordT")
ResultT = TypeVar("ResultT")

_CHARACTERS_PER_TOKEN: Final = 4
"""About so many in English text."""


@runtime_checkable
class TokenEstimator(Protocol):
    """A record that knows how many tokens it has."""

    def estimate_tokens(self) -> int:
        """Return the number of tokens."""
        ...


@dataclass(slots=True)
class Prompt:
    """A text, with about one token for four characters."""

    text: str

    def estimate_tokens(self) -> int:
        """Return about how many tokens the text has, at least 1."""
        return max(1, len(self.text) // _CHARACTERS_PER_TOKEN)


class TokenBatcher(DynamicBatcher[RecordT, ResultT]):
    """A `DynamicBatcher` whose cost is tokens; its parameters have names for that, beside the usual ones.

    Without an estimator a record's own `estimate_tokens()` counts, else its `estimate_cost()`, else the default.
    """

    def __init__(
        self,
        inference_fn: Callable[[list[RecordT]], Awaitable[Sequence[ResultT]]] | None = None,
        *,
        process_fn: Callable[[list[RecordT]], Awaitable[Sequence[ResultT]]] | None = None,
        token_estimator: Callable[[RecordT], int] | None = None,
        cost_estimator: Callable[[RecordT], int] | None = None,
        target_batch_tokens: int | None = None,
        target_batch_cost: int = 32_000,
        default_token_estimate: int | None = None,
        default_cost: int = 1,
        max_batch_size: int = 256,
        min_batch_size: int = 1,
        batch_timeout_s: float = 0.05,
        max_queue_size: int = 5_000,
        prefetch_batches: int = 2,
    ) -> None:
        function = inference_fn or process_fn
        if function is None or (inference_fn is not None and process_fn is not None):
            raise TypeError("TokenBatcher takes one function: inference_fn, or process_fn for the same.")
        super().__init__(
            function,
            cost_estimator=token_estimator or cost_estimator,
            target_batch_cost=target_batch_cost if target_batch_tokens is None else target_batch_tokens,
            default_cost=default_cost if default_token_estimate is None else default_token_estimate,
            max_batch_size=max_batch_size,
            min_batch_size=min_batch_size,
            batch_timeout_s=batch_timeout_s,
            max_queue_size=max_queue_size,
            prefetch_batches=prefetch_batches,
        )

    async def submit(
        self, record: RecordT, *, estimated_tokens: int | None = None, estimated_cost: int | None = None
    ) -> asyncio.Future[ResultT]:
        """Hand a record over, see `DynamicBatcher.submit`; `estimated_tokens` is its cost."""
        cost = estimated_cost if estimated_tokens is None else estimated_tokens
        return await super().submit(record, estimated_cost=cost)

    def _cost_of(self, record: RecordT) -> int:
        if self._estimate is None and isinstance(record, TokenEstimator):
            return record.estimate_tokens()
        return super()._cost_of(record)
