"""Whatever happens to lists and watches, every worker's exit is told once, and it is the right one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from tests.cluster.kubernetes.conftest import OpenCluster
from tests.cluster.kubernetes.specs import worker
from tests.support.fake_kubernetes import FakeKubernetes, until
from tests.support.worker_listener import Listener

_WORKERS = 8


@pytest.mark.parametrize("seed", range(6))
async def test_exits_are_those_of_a_run_without_faults(
    open_cluster: OpenCluster, server: FakeKubernetes, seed: int
) -> None:
    random = Random(seed)
    cluster = await open_cluster(watch_silence_s=0.3, probe_s=0.1, resync_s=0.5, requests_per_second=1000.0)
    codes = {f"w{number}": random.choice((0, 0, 1, 3, 7)) for number in range(_WORKERS)}
    listeners = {name: Listener() for name in codes}
    for name, listener in listeners.items():
        await cluster.start(worker(name), listener)
    steps: list[Callable[[], object]] = [partial(_run, server, name) for name in codes]
    steps += [partial(_finish, server, name, code, random) for name, code in codes.items()]
    faults: list[Callable[[], object]] = [
        server.hang_up,
        server.compact,
        server.bookmark,
        lambda: setattr(server, "mute", not server.mute),
        lambda: server.fault("GET", "/pods", status=random.choice((429, 500, 503)), times=random.randint(1, 3)),
        lambda: server.fault("GET", "/pods", hang_up=True),
        lambda: server.fault("DELETE", "/pods", status=500),
    ]
    random.shuffle(steps)
    for step in steps:
        step()
        if random.random() < 0.6:
            random.choice(faults)()
        await asyncio.sleep(random.choice((0.0, 0.005, 0.02)))
    server.mute = False
    server.faults.clear()
    for name in codes:
        _finish(server, name, codes[name], random)
    told = {name: (await listener.gone(within_s=15)).exit_code for name, listener in listeners.items()}
    assert told == codes
    await until(lambda: not server.objects["pods"], within_s=15)
    assert [len(listener.exits) for listener in listeners.values()] == [1] * _WORKERS


def _run(server: FakeKubernetes, name: str) -> None:
    if _there(server, name) and not _has_ended(server, name):
        server.run(name)


def _finish(server: FakeKubernetes, name: str, code: int, random: Random) -> None:
    if _there(server, name) and not _has_ended(server, name):
        server.finish(name, code=code, message="x", tell=random.random() < 0.7)


def _there(server: FakeKubernetes, name: str) -> bool:
    return any(each.startswith(f"{name}-") for _, each in server.objects["pods"])


def _has_ended(server: FakeKubernetes, name: str) -> bool:
    return (server.pod(f"{name}-").get("status") or {}).get("phase") in ("Succeeded", "Failed")
