"""Keys of cached results are the same in every process, on every machine and under every Python.

Who changes a key on purpose makes all results of everybody misses; the file is written anew by
`python -m tests.sdk.wire.golden_calls > tests/sdk/wire/golden_keys.json`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.wire import golden_calls

from flyte.spec.digests import inputs_digest, interface_digest
from flyte.types.codecs import codec_for
from flyteapi.task.v1.interface_pb2 import Interface
from flyteapi.task.v1.value_pb2 import NamedValues

GOLDEN: dict[str, str] = json.loads(Path(__file__).with_name("golden_keys.json").read_text())
ROOT = Path(__file__).parents[3]


def test_no_key_has_changed() -> None:
    assert dict(golden_calls.keys()) == GOLDEN


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_keys_do_not_depend_on_the_hashes_of_a_process(seed: str) -> None:
    assert _keys_of(sys.executable, seed) == GOLDEN


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_keys_are_the_same_under_each_python(minor: int) -> None:
    python = shutil.which(f"python3.{minor}")
    if (
        python is None
        or subprocess.run([python, "-c", "import google.protobuf, cloudpickle"], capture_output=True).returncode
    ):
        pytest.skip(f"no Python 3.{minor} with protobuf and cloudpickle on the PATH")
    assert _keys_of(python, "random") == GOLDEN


def _keys_of(python: str, seed: str) -> Any:
    paths = (ROOT, ROOT / "sdk", ROOT / "protos" / "_generated")
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [python, "-m", "tests.sdk.wire.golden_calls"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_zoned_times_of_one_moment_are_different_inputs() -> None:
    assert GOLDEN["datetime in UTC"] != GOLDEN["datetime in a zone"]


def test_the_order_of_the_fields_of_a_class_does_not_count() -> None:
    def made(*fields: tuple[str, Any, Any]) -> Any:
        return dataclasses.make_dataclass(
            "Record", [(name, kind, dataclasses.field(default=value)) for name, kind, value in fields]
        )

    a, b, inner = ("a", int, 1), ("b", str, "x"), ("c", list[int], None)
    first, second = made(a, b, inner), made(inner, b, a)
    assert _digests(first, first(c=[1])) == _digests(second, second(c=[1]))
    assert _digests(first, first(c=[1])) != _digests(first, first(c=[2]))


def _digests(annotation: Any, value: Any) -> tuple[bytes, bytes]:
    codec = codec_for(annotation)
    interface, inputs = Interface(), NamedValues()
    interface.inputs.add(name="x", type_name=codec.type_name, json_schema=codec.json_schema_text())
    inputs.values.add(name="x").value.CopyFrom(codec.encode(value, name="x"))
    return interface_digest(interface), inputs_digest(inputs)
