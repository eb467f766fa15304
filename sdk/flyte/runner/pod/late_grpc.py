"""gRPC, loaded when something of it is first used: an attempt is under way before that, see `first_words`."""

from __future__ import annotations

from typing import Any


class _LateGrpc:
    def __getattr__(self, name: str) -> Any:
        import grpc

        return getattr(grpc, name)


grpc = _LateGrpc()
"""Stands for the module."""
