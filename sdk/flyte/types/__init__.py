"""Types of inputs and outputs: how values become messages, and back.

- `codec_for(annotation)` is the codec of one annotation, `interface_codec(interface)` that of a whole task.
- `register_codec` adds a type.

Everything is loaded when it is first asked for, since the messages are not needed to declare a task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte.types.codec import Codec
    from flyte.types.codecs import codec_for, register_codec
    from flyte.types.interface import InterfaceCodec, check_inline_size, interface_codec
    from flyte.types.mismatch import TypeTransformerFailedError

_PLACES = {
    "Codec": "flyte.types.codec",
    "InterfaceCodec": "flyte.types.interface",
    "TypeTransformerFailedError": "flyte.types.mismatch",
    "check_inline_size": "flyte.types.interface",
    "codec_for": "flyte.types.codecs",
    "interface_codec": "flyte.types.interface",
    "register_codec": "flyte.types.codecs",
}

__all__ = [
    "Codec",
    "InterfaceCodec",
    "TypeTransformerFailedError",
    "check_inline_size",
    "codec_for",
    "interface_codec",
    "register_codec",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'flyte.types' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value
