"""Environment variables of the primary container.

The task's own variables reach the worker over its stream, with everything else of the attempt. Only those that act
before a program's first line (search paths, the interpreter's and the loader's switches, locale) stand in the pod. What
the platform sets comes last and wins over the template, the task and the operator's additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flyteplane.cluster.pods.surroundings import PodSurroundings
    from flyteplane.cluster.ports import WorkerSpec

_EARLY: Final = frozenset({"PATH", "LANG", "LANGUAGE", "TZ"})
_EARLY_PREFIXES: Final = ("PYTHON", "LC_", "LD_", "MALLOC_", "GLIBC_TUNABLES")


def acts_early(name: str) -> bool:
    """Whether a variable has its effect before the worker's program can set it."""
    return name in _EARLY or name.startswith(_EARLY_PREFIXES)


def primary_environment(
    template: Sequence[Mapping[str, Any]], spec: WorkerSpec, *, surroundings: PodSurroundings
) -> list[dict[str, Any]]:
    """The variables, in the order of the template, then the platform's additions; each name once."""
    early = {name: value for name, value in sorted(spec.env.items()) if acts_early(name)}
    platform = {
        **(_of_replica(surroundings) if spec.replica else {}),
        "FLYTE_WORKER_ENDPOINTS": ",".join(surroundings.worker_endpoints),
        "FLYTE_WORKER_NAME": spec.name,
        "FLYTE_WORKER_CONTACT_S": f"{surroundings.contact_s:g}",
        "FLYTE_WORKER_TOKEN": spec.token,
        **({"FLYTE_WORKER_CA": surroundings.worker_authorities} if surroundings.worker_authorities else {}),
    }
    return _last_wins((*template, *_variables(early), *surroundings.extra_env, *_variables(platform)))


def _of_replica(surroundings: PodSurroundings) -> dict[str, str]:
    """A replica has two sides: its pool, which gives it attempts, and the schedulers, which have the data of these."""
    return {
        "FLYTE_WORKER_REPLICA": "1",
        "FLYTE_REPLICA_ENDPOINTS": ",".join(surroundings.replica_endpoints or surroundings.worker_endpoints),
    }


def _variables(values: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    # Kubernetes replaces $(NAME) in values; a doubled dollar is one that stays.
    return ({"name": name, "value": value.replace("$", "$$")} for name, value in values.items())


def _last_wins(variables: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for variable in variables:
        merged[variable["name"]] = dict(variable)
    return list(merged.values())
