"""What templates put out: escaping of HTML is their part, and this is what is left to do for text of strangers."""

from __future__ import annotations

from typing import Any

from flyte.spec.visible import visible_text


def visible(value: Any) -> Any:
    """A value as templates put it out: text without characters that act, anything else as it is."""
    return value if not isinstance(value, str) or hasattr(value, "__html__") else visible_text(value)
