"""Types of inputs and outputs: how values become messages, and back.

- `codec_for(annotation)` is the codec of one annotation, `interface_codec(interface)` that of a whole task.
- `TypeEngine` and `TypeTransformer` add a type as with the peer SDK; `register_codec` does so at full speed.
- `guess_interface` and `literal_string_repr` serve those who know a task or a value by what is stored of it only.

Everything is loaded when it is first asked for, since the messages are not needed to declare a task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flyte.types.codec import Codec
    from flyte.types.codecs import codec_for, register_codec
    from flyte.types.engine import TypeEngine
    from flyte.types.flyte_pickle import FlytePickle
    from flyte.types.guess import guess_interface
    from flyte.types.interface import InterfaceCodec, check_inline_size, interface_codec
    from flyte.types.json_form import literal_string_repr
    from flyte.types.mismatch import TypeTransformerFailedError
    from flyte.types.transformer import Literal as Literal
    from flyte.types.transformer import LiteralType, Renderable, TypeTransformer

_PLACES: Final = {
    "Codec": "flyte.types.codec",
    "FlytePickle": "flyte.types.flyte_pickle",
    "InterfaceCodec": "flyte.types.interface",
    "Literal": "flyte.types.transformer",
    "LiteralType": "flyte.types.transformer",
    "Renderable": "flyte.types.transformer",
    "TypeEngine": "flyte.types.engine",
    "TypeTransformer": "flyte.types.transformer",
    "TypeTransformerFailedError": "flyte.types.mismatch",
    "check_inline_size": "flyte.types.interface",
    "codec_for": "flyte.types.codecs",
    "guess_interface": "flyte.types.guess",
    "interface_codec": "flyte.types.interface",
    "literal_string_repr": "flyte.types.json_form",
    "register_codec": "flyte.types.codecs",
}

# Without `Literal`: a star import would take typing's from the program.
__all__ = [
    "Codec",
    "FlytePickle",
    "InterfaceCodec",
    "LiteralType",
    "Renderable",
    "TypeEngine",
    "TypeTransformer",
    "TypeTransformerFailedError",
    "check_inline_size",
    "codec_for",
    "guess_interface",
    "interface_codec",
    "literal_string_repr",
    "register_codec",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'flyte.types' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value
