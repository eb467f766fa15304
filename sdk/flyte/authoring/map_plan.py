"""Which calls a `flyte.map` makes, and under which group; the checks of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass(frozen=True, slots=True)
class MapPlan:
    """The calls of one map: each element of `arguments` is one."""

    task: Any
    group: str
    arguments: Iterator[tuple[tuple[Any, ...], dict[str, Any]]]
    window: int
    """The most calls at once, 0 for no limit."""
    return_exceptions: bool


def plan_map(
    func: Callable[..., Any] | partial[Any],
    iterables: tuple[Iterable[Any], ...],
    *,
    group_name: str | None,
    concurrency: int,
    return_exceptions: bool,
) -> MapPlan:
    """Return the plan of a map.

    Raises TypeError for something that is no task, or a partial that leaves more or less than one parameter open, and
    ValueError for a negative concurrency.
    """
    task = func.func if isinstance(func, partial) else func
    name = getattr(task, "name", None)
    if not isinstance(name, str) or not callable(task):
        raise TypeError(f"flyte.map takes a task or a functools.partial of one, got {type(task)}")
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 0:
        raise ValueError(f"concurrency must be an int of at least 0 (no limit), got {concurrency!r}")
    if isinstance(func, partial):
        arguments = _calls_of_partial(func, iterables)
    else:
        # `zip()` of nothing is empty, and the shortest iterable ends the map.
        arguments = ((values, {}) for values in zip(*iterables, strict=False))
    return MapPlan(task, f"{name}_{group_name or 'map'}", arguments, concurrency, return_exceptions)


def _calls_of_partial(
    func: partial[Any], iterables: tuple[Iterable[Any], ...]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    task: Any = func.func
    inputs = list(task.native_interface.inputs)
    fixed = dict(zip(inputs, func.args, strict=False)) | func.keywords
    open_inputs = [name for name in inputs if name not in fixed]
    if len(open_inputs) != 1:
        raise TypeError(
            "Partial function must leave exactly one parameter unspecified for mapping. "
            f"Found {len(open_inputs)} unspecified parameters in {task.name}, params: {inputs}"
        )
    if len(iterables) > 1:
        raise TypeError(f"A partial of {task.name} takes one iterable, got {len(iterables)}")
    (open_input,) = open_inputs
    values = iterables[0] if iterables else ()
    return (((), {**fixed, open_input: value}) for value in values)
