"""Reading the statuses that calls end with, as a client reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from flyteplane.foundation.errors import PlatformError
from flyteplane.rpc.errors import errors_from_call


class Refusal:
    """What a call was refused with; filled when the block has ended."""

    def __init__(self) -> None:
        self.error = PlatformError("nothing was refused")

    @property
    def reason(self) -> str:
        return self.error.reason

    @property
    def field(self) -> str:
        return self.error.field

    @property
    def text(self) -> str:
        return self.error.public_text


@contextmanager
def refused(code: grpc.StatusCode) -> Iterator[Refusal]:
    """The call inside is refused with this status."""
    refusal = Refusal()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield refusal
    refusal.error = errors_from_call(caught.value)
    assert caught.value.code() is code, refusal.error
