"""Makes what services are given out of a platform's folder: keys, objects, code bundles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from flyte.spec.version import version
from flyteplane.foundation.ids import SystemIds
from flyteplane.launcher.services import Surroundings

if TYPE_CHECKING:
    import grpc

    from flyteplane.cluster.ports import Cluster
    from flyteplane.coordination.port import Coordination
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.launcher.folder import PlatformFolder
    from flyteplane.launcher.operator_keeper import OperatorFileKeeper


def surround(
    folder: PlatformFolder,
    *,
    mode: str,
    operator_file: OperatorFileKeeper,
    clusters: Sequence[Cluster],
    coordination: Coordination,
    channels: Mapping[str, grpc.aio.Channel],
    clock: TimerClock,
    fail: Callable[[BaseException], None],
) -> Surroundings:
    """What the services of one process are given. Raises PlatformError when keys or objects cannot be used."""
    from flyteplane.objects import FolderObjectStore
    from flyteplane.objects.bundles import BundleStore
    from flyteplane.rpc.tokens import TokenMinter, TokenVerifier, open_token_key

    ids, token_key = SystemIds(), open_token_key(folder.keys)
    objects = FolderObjectStore(folder.objects, clock=clock, ids=ids)
    return Surroundings(
        folder=folder,
        version=version(),
        mode=mode,
        operator_file=operator_file,
        clock=clock,
        ids=ids,
        objects=objects,
        bundles=BundleStore(objects, root=folder.bundles),
        clusters=clusters,
        coordination=coordination,
        channels=channels,
        minter=TokenMinter(token_key, clock=clock),
        verifier=TokenVerifier(token_key, clock=clock),
        fail=fail,
    )
