"""How long the types of the SDK take for a large value: a list of nested dataclasses, to bytes and back."""

from __future__ import annotations

from benchmarks.peer_programs.nested_rows import Row, figures, rows


def conversion() -> dict[str, float]:
    """Figures of both directions."""
    from flyte.types import codec_for
    from flyteapi.task.v1.value_pb2 import Value

    given, codec = rows(), codec_for(list[Row])
    content = codec.encode(given, name="rows").SerializeToString()
    if codec.decode(Value.FromString(content)) != given:
        raise RuntimeError("the rows did not come back as they were")
    return figures(
        lambda: codec.encode(given, name="rows").SerializeToString(),
        lambda: codec.decode(Value.FromString(content)),
    )
