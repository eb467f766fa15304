"""Inputs and outputs from annotations."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import pytest

from flyte.authoring.docstring import Docstring
from flyte.authoring.interface import NO_DEFAULT, NativeInterface, extract_return_annotation


class Point(NamedTuple):
    x: int
    y: int


def later(x: Later, y: Annotated[int, "unit"] = 3, z: Any = "free") -> tuple[int, Later]:
    raise NotImplementedError


class Later: ...


def test_annotations_may_name_what_is_defined_further_down() -> None:
    interface = NativeInterface.from_callable(later)
    assert interface.inputs == {"x": (Later, NO_DEFAULT), "y": (Annotated[int, "unit"], 3), "z": (Any, "free")}
    assert interface.outputs == {"o0": int, "o1": Later}
    assert (interface.required_inputs(), interface.num_required_inputs(), interface.has_outputs()) == (["x"], 1, True)
    assert interface.get_input_types()["x"] is Later


@pytest.mark.parametrize(
    ("annotation", "outputs"),
    [
        (None, {}),
        (type(None), {}),
        (int, {"o0": int}),
        (tuple[int, str], {"o0": int, "o1": str}),
        ((int, str), {"o0": int, "o1": str}),
        (tuple[int], {"o0": tuple[int]}),
        (tuple[int, ...], {"o0": tuple[int, ...]}),
        (tuple, {"o0": tuple}),
        (Point, {"x": int, "y": int}),
        (Point | None, {"o0": Point | None}),
        (int | None, {"o0": int | None}),
    ],
)
def test_a_fixed_tuple_is_several_outputs_and_everything_else_one(annotation: Any, outputs: Any) -> None:
    assert extract_return_annotation(annotation) == outputs


def test_binding_fills_defaults_in_the_order_of_the_interface() -> None:
    interface = NativeInterface.from_callable(later)
    assert list(interface.bind((1,), {"z": 2}).items()) == [("x", 1), ("y", 3), ("z", 2)]
    assert interface.convert_to_kwargs(1, z=2) == {"x": 1, "z": 2}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "Missing required inputs: x"),
        ((), {"w": 1}, "Missing required inputs: x"),
        ((1,), {"w": 1}, "Unexpected inputs: w. The inputs are: x, y, z"),
        ((1,), {"x": 1}, "Inputs given twice, by position and by name: x"),
        (
            (1, 2, 3, 4),
            {},
            "Too many positional arguments provided, expected inputs dict_keys(['x', 'y', 'z']), args 4",
        ),
    ],
)
def test_a_call_that_does_not_fit_names_the_inputs(args: Any, kwargs: Any, message: Any) -> None:
    with pytest.raises(ValueError, match="nputs") as refused:
        NativeInterface.from_callable(later).bind(args, kwargs)
    assert str(refused.value) == message


GOOGLE = """Add two numbers.

With care.

Args:
    x: the first
    y (int): the second

Returns:
    the sum
"""
NUMPY = """Add two numbers.

With care.

Parameters
----------
x : int
    the first
y : int
    the second
"""
REST = """Add two numbers.

With care.

:param x: the first
:param int y: the second
:return: the sum
"""


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST])
def test_docstrings_of_every_style_describe_the_inputs(text: Any) -> None:
    docstring = Docstring(text)
    assert docstring.short_description == "Add two numbers."
    assert docstring.long_description == "With care."
    assert docstring.input_descriptions == {"x": "the first", "y": "the second"}


@pytest.mark.parametrize(
    "text",
    [
        "Args:\n    x: the first\n\n        note: of two lines\n    y (int):\n        the second\n\nAnd more.",
        "Parameters\n---\nx\n    the first\n\n    note: of two lines\ny : int\n    the second\n\nReturns\n---\nz",
        ":param x: the first\n    note: of two lines\n:param y:\n    the second\n:returns: z\n    more",
    ],
)
def test_a_description_goes_on_as_far_as_it_is_indented(text: str) -> None:
    assert Docstring(text).input_descriptions == {"x": "the first\nnote: of two lines", "y": "the second"}


def test_no_docstring_says_nothing() -> None:
    docstring = Docstring(callable_=later)
    assert (docstring.short_description, docstring.long_description, docstring.input_descriptions) == (None, None, {})
    assert Docstring(REST).output_descriptions == {"o0": "the sum"}
