"""Reads YAML for people: a key that is given twice is an error, and every place in the text has a line.

The usual loaders let the later of two equal keys win in silence, which hides a slip of the hand in an operator's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml


class NotYaml(ValueError):
    """The text is not YAML, or gives a key twice. The message names the line."""


class YamlText:
    """A parsed text that knows where its values stand. Raises NotYaml."""

    def __init__(self, text: str) -> None:
        loader = yaml.SafeLoader(text)
        try:
            self._root = loader.get_single_node()
            _refuse_repeated_keys(self._root)
            self.value: Any = None if self._root is None else loader.construct_document(self._root)
        except yaml.MarkedYAMLError as error:
            raise NotYaml(_words(error)) from error
        except yaml.YAMLError as error:
            raise NotYaml(f"it is not YAML: {error}") from error
        except ValueError as error:
            # Such as a date that no calendar has.
            raise error if isinstance(error, NotYaml) else NotYaml(f"it is not YAML: {error}") from error
        finally:
            loader.dispose()

    def line(self, path: Sequence[str | int]) -> int:
        """The line of a place, counted from 1, or of the nearest one around it that is there."""
        node = self._root
        for step in path:
            below = _below(node, step)
            if below is None:
                break
            node = below
        return 1 if node is None else node.start_mark.line + 1


def written(path: Sequence[str | int]) -> str:
    """A place in the form `queues[0].priority`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _words(error: yaml.MarkedYAMLError) -> str:
    line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
    return f"{line}it is not YAML: {error.problem or error.context}"


def _refuse_repeated_keys(root: yaml.Node | None) -> None:
    for node in _nodes(root):
        if not isinstance(node, yaml.MappingNode):
            continue
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise NotYaml(f"line {key.start_mark.line + 1}: the key {key.value!r} is given twice")
            seen.add(str(key.value))


def _nodes(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """All nodes, each once: an alias may lead back to where it stands."""
    waiting, seen = [root] if root is not None else [], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _below(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    return None
