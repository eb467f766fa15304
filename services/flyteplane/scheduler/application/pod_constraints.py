"""What a resource class asks of pods, and lets them do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteplane.cluster.ports import PodConstraints
from flyteplane.scheduler.domain.queueing.classes import parse_tolerations

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.queueing.classes import ResourceClass


def constraints_of(shape: ResourceClass | None) -> PodConstraints:
    """The constraints of a class; the strictest for none."""
    if shape is None:
        return PodConstraints()
    return PodConstraints(
        node_selector=shape.node_selector,
        tolerations=parse_tolerations(shape.tolerations_json),
        priority_class=shape.priority_class,
        allow_host_paths=shape.allow_host_paths,
        allow_privileged=shape.allow_privileged,
        allow_service_account_token=shape.allow_service_account_token,
        service_accounts=shape.service_accounts,
    )
