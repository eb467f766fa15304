"""Who calls."""

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

CallerOf: TypeAlias = Callable[[Context], str]
"""The subject of a call, for example "local:alice": recorded with what it makes. Request ids are its own."""
