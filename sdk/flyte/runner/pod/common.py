"""What both the agent and its worker need, and what may be loaded before a fork: loaded once, before it."""

from __future__ import annotations

from flyte.runner.pod.deferred import deferred

# Every import is for its effect. asyncio and protobuf load what they need for TLS, and for messages in pure Python.
with deferred("ssl", "asyncio.sslproto", "google.protobuf.internal.python_message"):
    import asyncio  # noqa: F401
    import json  # noqa: F401
    import logging  # noqa: F401
    import pathlib  # noqa: F401
    import typing  # noqa: F401

    import flyteapi.scheduler.v1.worker_service_pb2  # noqa: F401
