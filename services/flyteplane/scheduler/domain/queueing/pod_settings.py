"""What a resource class says of pods, and whether any of its clusters has pods.

A node selector on a class whose clusters are all processes of one machine would be kept and never act: whoever wrote it
believes that work is kept apart that is not. So it is refused where it is written.
"""

from collections.abc import Iterable, Mapping

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.scheduler.domain.queueing.checks import names_any
from flyteplane.scheduler.domain.queueing.classes import ResourceClass


def refuse_settings_of_pods(shape: ResourceClass, *, has_nodes: Mapping[str, bool]) -> None:
    """Raises InvalidArgument for what acts only on pods, in a class that no cluster with nodes offers.

    Args:
        has_nodes: whether each cluster places pods on nodes, by name. A class of unknown clusters only is let through.
    """
    given = list(_settings_of_pods(shape))
    offered = [nodes for name, nodes in has_nodes.items() if names_any(shape.clusters) or name in shape.clusters]
    if given and offered and not any(offered):
        raise InvalidArgument(
            f"{', '.join(given)} would have no effect: all clusters of resource class {shape.name!r} run processes of "
            "one machine, which has no nodes to choose from",
            reason="NO_NODES",
            field=given[0],
            mend="Leave it out, or name a cluster of kind kubernetes.",
        )


def _settings_of_pods(shape: ResourceClass) -> Iterable[str]:
    for field in ("node_selector", "tolerations_json", "priority_class"):
        if getattr(shape, field):
            yield field
