"""Opening the coordination store: waited for while it is away, and named."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.etcd import EtcdServer, require_etcd
from tests.support.log_lines import LogLines

from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.launcher.coordination import open_etcd


async def test_a_store_that_is_away_at_the_start_is_waited_for_and_named(tmp_path: Path, log_lines: LogLines) -> None:
    require_etcd()
    server = EtcdServer(tmp_path)
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(open_etcd(server.settings(), clock=SystemClock(), stack=stack))
        while server.endpoint.removeprefix("http://") not in log_lines.text:  # noqa: ASYNC110  # a log tells nobody that it has grown
            await asyncio.sleep(0.01)
        assert not opening.done()
        await asyncio.to_thread(server.start)
        stack.callback(server.stop)
        assert await (await opening).get("nothing") is None
        await stack.aclose()


async def test_the_wait_has_an_end(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(Unavailable, match="no endpoint of etcd can be used"):
            await open_etcd(EtcdServer(tmp_path).settings(), clock=SystemClock(), stack=stack, patience_s=0.0)
