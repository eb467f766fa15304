"""What a docstring says without its indentation: what `inspect` says of it."""

from __future__ import annotations

import inspect

import pytest

from flyte.spec.documentation import Documentation


@pytest.mark.parametrize(
    "text",
    [
        "One line.",
        "  One line.  ",
        "First.\n\n    Second,\n      deeper.\n    ",
        "\n    First on the second line.\n\n\tA tab.\n",
        "First.\n    \n  Less than the blank line before.\n",
        "\n\n",
        "",
    ],
)
def test_a_docstring_loses_the_indentation_of_its_source(text: str) -> None:
    assert Documentation.of_docstring(text).description == inspect.cleandoc(text)
