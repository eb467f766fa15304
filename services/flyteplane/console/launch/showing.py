"""From a value to what the controls of its shape hold.

A value that is larger than a page should be, or that does not have the shape, is not shown; the form then offers to
keep it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from flyteplane.console.launch import shapes
from flyteplane.console.launch.shapes import Shape, TextKind
from flyteplane.console.launch.state import FormState
from flyteplane.console.launch.texts import split_zone
from flyteplane.console.launch.trees import Alternative, NotShown, Pairs, Stored, Tree, json_of
from flyteplane.console.visible import visible

MOST_CONTROLS: Final = 400
MOST_CHARACTERS: Final = 64 * 1024
_NOT_THE_SHAPE: Final = "A value of another type than the task asks for, kept as it is."
_UNSEEN: Final = "A text with characters that cannot be shown, kept as it is."
_TOO_LARGE: Final = "Too large to be shown in a form, kept as it is."


def shown(shape: Shape, tree: Tree, *, name: str) -> FormState:
    """What the controls at `name` hold to say the value. Raises NotShown."""
    values: dict[str, tuple[str, ...]] = {}
    size = 0
    for control, text in _pairs(shape, tree, name):
        if visible(text) != text:
            raise NotShown(_UNSEEN)
        values[control] = (*values.get(control, ()), text)
        size += len(text)
        if len(values) > MOST_CONTROLS or len(values[control]) > MOST_CONTROLS or size > MOST_CHARACTERS:
            raise NotShown(_TOO_LARGE)
    return FormState(values)


def blank(shape: Shape, *, name: str) -> FormState:
    """What the controls at `name` hold before anybody gave anything: the defaults of the fields of records."""
    return FormState.of(_blank(shape, name))


def _blank(shape: Shape, name: str) -> Iterator[tuple[str, str]]:
    match shape:
        case shapes.Record(parts=parts):
            for part in parts:
                yield from _blank_part(part, f"{name}.{part.name}")
        case shapes.Fixed(items):
            for index, item in enumerate(items):
                yield from _blank(item, f"{name}.{index}")
        case shapes.Union(alternatives) if not shape.blank_is_none:
            yield f"{name}.as", "0"
            for index, (_, alternative) in enumerate(alternatives):
                yield from _blank(alternative, f"{name}.{index}")
        case _:
            return


def _blank_part(part: shapes.Part, name: str) -> Iterator[tuple[str, str]]:
    if part.has_default:
        try:
            yield from tuple(_pairs(part.shape, part.default, name))
            return
        except NotShown:
            pass
    yield from _blank(part.shape, name)


def _pairs(shape: Shape, tree: Tree, name: str) -> Iterator[tuple[str, str]]:
    """The texts of a value, each with its control. Raises NotShown, also in the middle."""
    if isinstance(tree, Alternative) and not isinstance(shape, shapes.Union):
        tree = tree.value
    match shape:
        case shapes.Text(kind):
            yield from _text(kind, tree, name)
        case shapes.Flag() if isinstance(tree, bool):
            if tree:
                yield name, "true"
        case shapes.Nothing() if tree is None:
            return
        case shapes.Choice(options=options):
            yield name, _option(options, tree)
        case shapes.Upload() if isinstance(tree, Stored):
            yield name, tree.uri
        case shapes.Json():
            yield name, json.dumps(json_of(tree), ensure_ascii=False, indent=2)
        case shapes.Union():
            yield from _union(shape, tree, name)
        case _:
            yield from _nested(shape, tree, name)


def _nested(shape: Shape, tree: Tree, name: str) -> Iterator[tuple[str, str]]:
    match shape:
        case shapes.Record(parts=parts) if isinstance(tree, dict | Pairs):
            yield from _record(parts, _by_name(tree), name)
        case shapes.Sequence(item) if isinstance(tree, list):
            for index, element in enumerate(tree):
                yield name, str(index)
                yield from _pairs(item, element, f"{name}.{index}")
        case shapes.Fixed(items) if isinstance(tree, list) and len(tree) == len(items):
            for index, (item, element) in enumerate(zip(items, tree, strict=True)):
                yield from _pairs(item, element, f"{name}.{index}")
        case shapes.Entries(key=key, value=value) if isinstance(tree, dict | Pairs):
            pairs = tree.pairs if isinstance(tree, Pairs) else tuple(tree.items())
            for index, (label, element) in enumerate(pairs):
                yield name, str(index)
                yield from _pairs(key, label, f"{name}.{index}.key")
                yield from _pairs(value, element, f"{name}.{index}.value")
        case _:
            raise NotShown(_NOT_THE_SHAPE)


def _record(parts: tuple[shapes.Part, ...], values: dict[str, Tree], name: str) -> Iterator[tuple[str, str]]:
    if values.keys() - {part.name for part in parts}:
        raise NotShown(_NOT_THE_SHAPE)
    for part in parts:
        control = f"{name}.{part.name}"
        if part.name not in values:
            if part.required:
                raise NotShown(_NOT_THE_SHAPE)
            continue
        if omittable(part):
            yield f"{control}.given", "true"
        yield from _pairs(part.shape, values[part.name], control)


def omittable(part: shapes.Part) -> bool:
    """Whether a part of a record may be left to a default that only the class knows."""
    return not part.required and not part.has_default


def _by_name(tree: Tree) -> dict[str, Tree]:
    if isinstance(tree, dict):
        return tree
    if not all(isinstance(key, str) for key, _ in tree.pairs):
        raise NotShown(_NOT_THE_SHAPE)
    return dict(tree.pairs)


def _text(kind: TextKind, tree: Tree, name: str) -> Iterator[tuple[str, str]]:
    if not _fits(kind, tree):
        raise NotShown(_NOT_THE_SHAPE)
    if kind is not TextKind.DATETIME:
        yield name, str(tree)
        return
    try:
        moment, zone = split_zone(tree)
    except ValueError:
        raise NotShown(_NOT_THE_SHAPE) from None
    yield name, moment
    yield f"{name}.zone", zone


def _fits(kind: TextKind, tree: Tree) -> bool:
    match kind:
        case TextKind.INTEGER:
            return type(tree) is int
        case TextKind.NUMBER:
            return type(tree) in (int, float) or tree in ("nan", "inf", "-inf")
        case _:
            return isinstance(tree, str)


def _option(options: tuple[object, ...], tree: Tree) -> str:
    for index, option in enumerate(options):
        if type(option) is type(tree) and option == tree:
            return str(index)
    raise NotShown(_NOT_THE_SHAPE)


def _union(shape: shapes.Union, tree: Tree, name: str) -> Iterator[tuple[str, str]]:
    wanted = tree.type_name if isinstance(tree, Alternative) else None
    inner = tree.value if isinstance(tree, Alternative) else tree
    if shape.blank_is_none and shape.optional is not None:
        if inner is not None:
            yield from _pairs(shape.optional, inner, name)
        return
    named = [index for index, (title, _) in enumerate(shape.alternatives) if title == wanted]
    # Free JSON takes anything, and so comes behind those that are meant for the value.
    by_trial = sorted(range(len(shape.alternatives)), key=lambda at: isinstance(shape.alternatives[at][1], shapes.Json))
    for index in named or by_trial:
        _, alternative = shape.alternatives[index]
        try:
            found = tuple(_pairs(alternative, inner, f"{name}.{index}"))
        except NotShown:
            continue
        yield f"{name}.as", str(index)
        yield from found
        return
    raise NotShown(_NOT_THE_SHAPE)
