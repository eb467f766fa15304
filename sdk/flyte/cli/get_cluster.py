"""`flyte get cluster`: where work is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_details, print_json, print_table
from flyte.cli.quantity_types import memory_text
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.cluster_service_pb2 import Cluster


@click.command("cluster")
@click.argument("name", required=False)
@json_option
@click.pass_context
def get_cluster(ctx: click.Context, *, name: str | None, as_json: bool) -> None:
    """List the clusters of the operator's file, or show the cluster NAME."""
    root = root_options(ctx)
    root.choose_platform()
    as_json = as_json or root.json
    clusters = fetch_clusters()
    if name is not None:
        known = ", ".join(cluster.name for cluster in clusters)
        clusters = [cluster for cluster in clusters if cluster.name == name]
        if not clusters:
            raise click.ClickException(f"There is no cluster {name!r}. The clusters are: {known}.")
    if as_json:
        print_json(facts(clusters[0]) if name is not None else [facts(cluster) for cluster in clusters])
    elif name is not None:
        print_details(_shown(clusters[0]))
    else:
        shown = [_shown(cluster) for cluster in clusters]
        print_table(tuple(shown[0]) if shown else (), (tuple(one.values()) for one in shown), empty="No clusters.")


@syncify
async def fetch_clusters() -> list[Cluster]:
    """Return all clusters."""
    from flyte.client.channel import connection
    from flyteapi.scheduler.v1.cluster_service_pb2 import ListClustersRequest

    platform = connection()
    return list((await platform.call(platform.clusters.ListClusters, ListClustersRequest())).clusters)


def facts(cluster: Cluster) -> dict[str, Any]:
    """Return what is known of a cluster, for programs."""
    return {
        "cluster": cluster.name,
        "kind": cluster.kind,
        "reachable": cluster.reachable,
        "cpu_millis": cluster.cpu_millis,
        "memory_bytes": cluster.memory_bytes,
        "workers": cluster.workers,
    }


def _shown(cluster: Cluster) -> dict[str, Any]:
    from flyte.spec.quantities import format_cpu_millis

    return {
        "cluster": cluster.name,
        "kind": cluster.kind,
        "state": "reachable" if cluster.reachable else "unreachable; its work is frozen, not failed",
        "cpu": format_cpu_millis(cluster.cpu_millis) if cluster.cpu_millis else "as the cluster has",
        "memory": memory_text(cluster.memory_bytes) if cluster.memory_bytes else "as the cluster has",
        "workers": str(cluster.workers),
    }
