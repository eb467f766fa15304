"""Stub generation mirrors the protos: what is new appears, what is gone goes, what is the same is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gen_protos

GREETING = """\
syntax = "proto3";
package flyteapi.greeting.v1;
message Greeting { string text = 1; }
service GreetingService { rpc Greet(Greeting) returns (Greeting); }
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one proto."""
    write_proto(tmp_path, area="greeting", text=GREETING)
    return tmp_path


def write_proto(root: Path, *, area: str, text: str) -> Path:
    path = root / "protos" / "flyteapi" / area / "v1" / f"{area}.proto"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_stubs_are_importable_and_typed(root: Path) -> None:
    output = gen_protos.generate(root)
    names = {str(path.relative_to(output / "flyteapi")) for path in output.rglob("*") if path.is_file()}
    assert names == {
        "__init__.py",
        "py.typed",
        "greeting/__init__.py",
        *(f"greeting/v1/{name}" for name in ("__init__.py", "greeting_pb2.py", "greeting_pb2.pyi")),
        *(f"greeting/v1/greeting_pb2_grpc.{suffix}" for suffix in ("py", "pyi")),
    }
    program = "from flyteapi.greeting.v1 import greeting_pb2_grpc as g; print(g.GreetingServiceStub.__name__)"
    finished = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(output)}, capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "GreetingServiceStub"


def test_a_removed_proto_takes_its_stubs_with_it(root: Path) -> None:
    other = write_proto(root, area="other", text='syntax = "proto3";\npackage flyteapi.other.v1;\nmessage Other {}\n')
    output = gen_protos.generate(root)
    assert (output / "flyteapi" / "other").is_dir()
    other.unlink()
    gen_protos.generate(root)
    assert not (output / "flyteapi" / "other").exists()


def test_unchanged_stubs_are_not_written_again(root: Path) -> None:
    output = gen_protos.generate(root)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.py*")}
    gen_protos.generate(root)
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.py*")} == before


def test_differences_name_what_is_missing_edited_or_stale(root: Path) -> None:
    output = gen_protos.generate(root)
    assert gen_protos.differences(root) == []
    folder = output / "flyteapi" / "greeting" / "v1"
    (folder / "greeting_pb2.py").unlink()
    (folder / "greeting_pb2.pyi").write_text("edited")
    (folder / "stale_pb2.py").touch()
    assert gen_protos.differences(root) == [
        f"flyteapi/greeting/v1/{name}" for name in ("greeting_pb2.py", "greeting_pb2.pyi", "stale_pb2.py")
    ]


def test_a_broken_proto_is_refused_and_leaves_the_stubs_as_they_were(root: Path) -> None:
    output = gen_protos.generate(root)
    before = {path: path.read_bytes() for path in output.rglob("*.py*")}
    write_proto(root, area="greeting", text=GREETING + "message {")
    with pytest.raises(gen_protos.GenerationError, match=r"greeting\.proto:5"):
        gen_protos.generate(root)
    assert {path: path.read_bytes() for path in output.rglob("*.py*")} == before
