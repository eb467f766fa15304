"""What only the platform can tell: that it answers, who it takes the caller for, and whether its parts do their work.

Every store is asked something harmless that it has to read for. One part that is away hides no other: all are asked at
once, each for a few seconds at most.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from flyte.cli.diagnosis.findings import Finding, fail, ok, warn
from flyte.errors import BaseRuntimeError, InitializationError, RuntimeUserError
from flyte.spec.version import __version__ as own_version

if TYPE_CHECKING:
    from flyte.client.channel import Connection
    from flyteapi.admin.v1.identity_service_pb2 import WhoAmIResponse

PATIENCE_S: Final = 5.0
#: Tokens are checked with some leeway; clocks that differ by more have them refused.
_SKEW_WARN_S: Final = 2.0
_SKEW_FAIL_S: Final = 30.0

Ask = Callable[["Connection"], Awaitable[Any]]


async def look_at_platform(platform: Connection) -> list[Finding]:
    """Everything, in the order in which one thing needs the other."""
    began = time.time()
    try:
        who = await _who_am_i(platform)
    except (BaseRuntimeError, OSError) as error:
        return [_unreachable(platform, error)]
    took = time.time() - began
    findings = [
        ok("endpoint", f"{platform.endpoint} answers in {took * 1000:.0f} ms"),
        _transport(platform),
        judge_versions(own_version, who.version),
        _identity(who),
    ]
    if who.HasField("time"):
        findings.append(judge_clock((began + took / 2) - who.time.ToNanoseconds() / 1e9))
    findings += await asyncio.gather(*(_probe(platform, part, ask) for part, ask in _parts(platform)))
    return [*findings, *await _clusters(platform)]


async def _who_am_i(platform: Connection) -> WhoAmIResponse:
    from flyteapi.admin.v1.identity_service_pb2 import WhoAmIRequest

    return await platform.call(platform.identity.WhoAmI, WhoAmIRequest(), timeout_s=PATIENCE_S)


def _unreachable(platform: Connection, error: BaseException) -> Finding:
    said = " ".join([str(error), *getattr(error, "__notes__", ())])
    if isinstance(error, InitializationError):
        mend = "Give a valid key with FLYTE_API_KEY or in the configuration; check the certificate if it is about TLS."
    elif platform.endpoint.startswith("unix:"):
        mend = "Start the platform of this machine with `flyte up`."
    else:
        mend = "Check host, port and network policy, and whether the platform speaks TLS there (--insecure if not)."
    return fail("endpoint", said, mend=mend)


def _transport(platform: Connection) -> Finding:
    from flyte.client.tls import target_of

    if platform.endpoint.strip().startswith("unix:"):
        return ok("tls", "a socket of this machine needs none")
    if target_of(platform.settings).secure:
        if platform.settings.insecure_skip_verify:
            return warn("tls", "the certificate is not verified", mend="Name its authority: caCertFilePath.")
        return ok("tls", "the connection is encrypted, and the certificate is right")
    return warn(
        "tls",
        f"the connection to {platform.endpoint} is in clear",
        mend="Fine on this machine only. Elsewhere give the platform `tls.edge` and leave --insecure out.",
    )


def judge_versions(own: str, platform: str) -> Finding:
    """Whether client and platform fit: the same major version, and not a newer client."""
    text = f"client {own}, platform {platform or 'unknown'}"
    mine, theirs = _numbers(own), _numbers(platform)
    if not theirs:
        return warn("versions", text, mend="Upgrade the platform: it does not say its version.")
    if mine[0] != theirs[0]:
        mend = f"Install a client of the platform's series: pip install 'flyteplane=={theirs[0]}.*'"
        return fail("versions", text, mend=mend)
    if mine[:2] > theirs[:2]:
        return warn("versions", text, mend="Upgrade the platform first: it refuses what it does not know.")
    return ok("versions", text)


def judge_clock(skew_s: float) -> Finding:
    """Whether the clocks agree; positive where this machine is ahead."""
    side = "ahead of" if skew_s > 0 else "behind"
    text = f"this machine is {abs(skew_s):.1f} s {side} the platform"
    mend = "Have both machines set their clocks (chrony, systemd-timesyncd): tokens expire by them."
    if abs(skew_s) >= _SKEW_FAIL_S:
        return fail("clock", text, mend=mend)
    if abs(skew_s) >= _SKEW_WARN_S:
        return warn("clock", text, mend=mend)
    return ok("clock", f"within {_SKEW_WARN_S:g} s of the platform's")


def _identity(who: WhoAmIResponse) -> Finding:
    from flyteapi.admin.v1.identity_service_pb2 import Role

    if not who.grants:
        return fail(
            "identity",
            f"the platform knows you as {who.subject}, without any role",
            mend="Ask an administrator for one; the operator's file gives the first ones, under identity.grants.",
        )
    roles = sorted({Role.Name(grant.role).removeprefix("ROLE_").lower() for grant in who.grants})
    return ok("identity", f"{who.subject}: {', '.join(roles)}")


def _parts(platform: Connection) -> Iterable[tuple[str, Ask]]:
    """What reads from each service's store."""
    from flyteapi.admin.v1.project_service_pb2 import ListProjectsRequest
    from flyteapi.admin.v1.run_service_pb2 import GetActionRequest
    from flyteapi.cache.v1.cache_service_pb2 import ListEntriesRequest
    from flyteapi.common.v1.identity_pb2 import ActionId, RunId, Scope
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import ListPoolsRequest
    from flyteapi.secrets.v1.secrets_service_pb2 import ListSecretsRequest

    settings = platform.settings
    scope = Scope(project=settings.project, domain=settings.domain)
    nobody = ActionId(run=RunId(project=settings.project, domain=settings.domain, name="flyte-doctor"), name="a0")

    def asking(method: Any, request: Any) -> Ask:
        return lambda connection: connection.call(method, request, timeout_s=PATIENCE_S)

    yield "admin", asking(platform.projects.ListProjects, ListProjectsRequest())
    yield "scheduler", asking(platform.runs.GetAction, GetActionRequest(action=nobody))
    yield "cache", asking(platform.cache.ListEntries, ListEntriesRequest(scope=scope, page_size=1))
    yield "secrets", asking(platform.secrets.ListSecrets, ListSecretsRequest(scope=scope, page_size=1))
    yield "reuse pool", asking(platform.pools.ListPools, ListPoolsRequest(scope=scope))
    yield "objects", _read_an_object


async def _read_an_object(platform: Connection) -> None:
    """Look for objects that are not there: the store has to answer that."""
    from flyteapi.admin.v1.data_service_pb2 import GetStoreRequest, ListObjectsRequest

    store = await platform.call(platform.data.GetStore, GetStoreRequest(), timeout_s=PATIENCE_S)
    folder = f"{store.root}data/flyte-doctor"
    async with asyncio.timeout(PATIENCE_S):
        async for _ in platform.stream(platform.data.ListObjects, ListObjectsRequest(uri=folder)):
            break


async def _probe(platform: Connection, part: str, ask: Ask) -> Finding:
    began = time.monotonic()
    try:
        await ask(platform)
    except RuntimeUserError as error:
        if error.code != "NotFound":
            return fail(part, str(error), mend=_log_hint(part))
    except InitializationError:
        return warn(part, "your role may not ask it", mend="Ask somebody with the role viewer in this project.")
    except TimeoutError:
        return fail(part, f"no answer within {PATIENCE_S:g} s", mend=_log_hint(part))
    except BaseRuntimeError as error:
        return fail(part, str(error), mend=_log_hint(part))
    return ok(part, f"its store answers ({(time.monotonic() - began) * 1000:.0f} ms)")


def _log_hint(part: str) -> str:
    return f"Look at the log of the process that carries it, and at its store: {part}."


async def _clusters(platform: Connection) -> Sequence[Finding]:
    from flyteapi.scheduler.v1.cluster_service_pb2 import ListClustersRequest

    try:
        found = await platform.call(platform.clusters.ListClusters, ListClustersRequest(), timeout_s=PATIENCE_S)
    except InitializationError:
        return [warn("clusters", "your role may not ask for them", mend="Ask somebody with the role viewer.")]
    except BaseRuntimeError as error:
        return [fail("clusters", str(error), mend=_log_hint("scheduler"))]
    return [
        ok(f"cluster {cluster.name}", f"{cluster.kind}, reachable, {cluster.workers} workers")
        if cluster.reachable
        else fail(
            f"cluster {cluster.name}",
            f"{cluster.kind}, its API cannot be reached; its work is frozen, not failed",
            mend="Check its kubeconfig or service account, and the network to its API server.",
        )
        for cluster in found.clusters
    ]


def _numbers(version: str) -> tuple[int, ...]:
    found = []
    for part in version.split(".")[:3]:
        digits = "".join(character for character in part if character.isdigit())
        if not digits:
            break
        found.append(int(digits))
    return tuple(found)
