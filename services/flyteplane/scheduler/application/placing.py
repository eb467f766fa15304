"""Whether an action can be accepted at all, and what admission has to know of it.

Refused before anything is stored: a queue that is not there, drains or is full; a demand that no class fits; a task
that no cluster of its queue can carry out as it asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from flyteplane.foundation.errors import InvalidArgument, PlatformError

if TYPE_CHECKING:
    from flyteplane.cluster.ports import Cluster, PodConstraints
    from flyteplane.scheduler.application.living import Action, TaskRecord
    from flyteplane.scheduler.domain.queueing.admission import Admission
    from flyteplane.scheduler.domain.queueing.classes import Demand, ResourceClass
