"""Checks that queues and resource classes share: names, whole numbers in a range, lists of clusters.

Each raises InvalidArgument with the field, the limit and the mend, so that an operator who wrote a wrong line in a file
can find it without reading this code.
"""

import re
from collections.abc import Sequence
from typing import Final

from flyte.spec.names import RULES, NameKind, is_name
from flyteplane.foundation.errors import InvalidArgument

#: All clusters there are.
ANY_CLUSTER: Final = "*"
MOST_CLUSTERS: Final = 100

_CLUSTER: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def check_name(name: str, *, what: str) -> None:
    """Refuses whatever tasks could not name as a queue. `what` names the thing, such as "queue"."""
    if not is_name(name, kind=NameKind.QUEUE):
        raise InvalidArgument(
            f"{name!r} is not the name of a {what}",
            reason="INVALID_NAME",
            field="name",
            limit=f"1 to {RULES[NameKind.QUEUE].max_length} {RULES[NameKind.QUEUE].words}",
            mend="Choose another name.",
        )


def check_range(value: object, *, field: str, most: int, unit: str = "", least: int = 0) -> None:
    """Refuses whatever is not a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        words = f" {unit}" if unit else ""
        raise InvalidArgument(
            f"{value!r} is not a whole number from {least} to {most}",
            reason="OUT_OF_RANGE",
            field=field,
            limit=f"{least} to {most}{words}",
            mend="0 means that there is no limit." if least == 0 and field != "priority" else "",
        )


def check_clusters(clusters: Sequence[str]) -> None:
    """Refuses cluster names that cannot be any, names given twice, and `*` beside names."""
    if len(clusters) > MOST_CLUSTERS:
        raise InvalidArgument(
            f"{len(clusters)} clusters are too many", reason="OUT_OF_RANGE", field="clusters", limit=str(MOST_CLUSTERS)
        )
    for name in clusters:
        if name != ANY_CLUSTER and _CLUSTER.fullmatch(name) is None:
            raise InvalidArgument(
                f"{name!r} is not the name of a cluster",
                reason="INVALID_NAME",
                field="clusters",
                mend='Give names of configured clusters, or "*" for all of them.',
            )
    if len(set(clusters)) != len(clusters):
        raise InvalidArgument("a cluster is named twice", reason="CLUSTERS_CONTRADICT", field="clusters")
    if ANY_CLUSTER in clusters and len(clusters) > 1:
        raise InvalidArgument(
            '"*" stands beside names of clusters',
            reason="CLUSTERS_CONTRADICT",
            field="clusters",
            mend='Say "*" alone for all clusters, or names alone.',
        )


def names_any(clusters: Sequence[str]) -> bool:
    """True if such a list means every cluster."""
    return not clusters or ANY_CLUSTER in clusters
