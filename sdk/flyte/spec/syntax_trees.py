"""The syntax tree of a function as a text that is the same under every Python that this SDK runs on.

`ast.dump` is not: each version adds fields, what it leaves out changes, and the pieces of an f-string are cut in other
ways. Here a node is its type and those of its fields that are not empty, in the order of their names, so that a field
that a version adds shows only where a program uses it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any


def canonical_tree(source: str) -> str:
    """Return the canonical text of a source; comments and layout are not in it. Raises SyntaxError."""
    parts: list[str] = []
    # Without recursion: an expression may be deeper than the interpreter's stack.
    unvisited: list[Any] = [ast.parse(source)]
    while unvisited:
        item = unvisited.pop()
        if isinstance(item, _Text):
            parts.append(item)
        elif isinstance(item, ast.AST):
            unvisited += reversed([_Text(type(item).__name__), _Text("("), *_inside(item), _Text(")")])
        elif isinstance(item, list):
            unvisited += reversed(
                [_Text("["), *(part for element in item for part in (element, _Text(","))), _Text("]")]
            )
        else:
            parts.append(repr(item))
    return "".join(parts)


class _Text(str):
    """A piece of the result, apart from the texts of the program."""

    __slots__ = ()


def _inside(node: ast.AST) -> Iterator[Any]:
    """Yield the fields of a node that say something."""
    if isinstance(node, ast.Constant):
        yield node.value
        return
    for name, value in sorted(ast.iter_fields(node), key=lambda field: field[0]):
        if isinstance(node, ast.JoinedStr):
            value = list(_joined(node.values))
        if value is not None and value != []:
            yield from (_Text(f"{name}="), value, _Text(","))


def _joined(pieces: list[ast.expr]) -> Iterator[ast.expr]:
    """Yield the pieces of an f-string with neighbouring texts as one, and without empty ones."""
    text = ""
    for piece in pieces:
        if isinstance(piece, ast.Constant) and isinstance(piece.value, str):
            text += piece.value
            continue
        if text:
            yield ast.Constant(value=text)
        text = ""
        yield piece
    if text:
        yield ast.Constant(value=text)
