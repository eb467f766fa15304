"""Makes what services are given out of a platform's folder: keys, objects, code bundles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from flyte.spec.version import version
from flyteplane.foundation.ids import SystemIds
from flyteplane.launcher.services import Surroundings, keys_folder

if TYPE_CHECKING:
    import grpc

    from flyteplane.cluster.ports import Cluster
    from flyteplane.coordination.port import Coordination
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.launcher.folder import PlatformFolder
    from flyteplane.launcher.objects import OpenObjects
    from flyteplane.launcher.operator_keeper import OperatorFileKeeper


def surround(
    folder: PlatformFolder,
    *,
    mode: str,
    operator_file: OperatorFileKeeper,
    objects: OpenObjects,
    clusters: Sequence[Cluster],
    coordination: Coordination,
    channels: Mapping[str, grpc.aio.Channel],
    clock: TimerClock,
    fail: Callable[[BaseException], None],
    owner_key: str = "",
) -> Surroundings:
    """What the services of one process are given. Raises PlatformError when keys cannot be used."""
    from flyteplane.objects.bundles import BundleStore
    from flyteplane.rpc.token_keys import KeysInFolder
    from flyteplane.rpc.tokens import TokenMinter, TokenVerifier

    ids, token_keys = SystemIds(), KeysInFolder(keys_folder(folder, operator_file.current), clock=clock)
    return Surroundings(
        folder=folder,
        version=version(),
        mode=mode,
        operator_file=operator_file,
        clock=clock,
        ids=ids,
        objects=objects.store,
        objects_root=objects.root,
        logs=folder.logs if objects.shared_by_folder else None,
        bundles=BundleStore(objects.store, root=folder.bundles),
        clusters=clusters,
        coordination=coordination,
        channels=channels,
        minter=TokenMinter(token_keys, clock=clock),
        verifier=TokenVerifier(token_keys, clock=clock),
        token_key=token_keys.present,
        fail=fail,
        owner_key=owner_key,
    )
