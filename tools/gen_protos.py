#!/usr/bin/env python3
"""Turns the `.proto` files into typed Python stubs.

The stubs are never committed: the package build calls `generate` (see `hatch_build.py`), and a developer calls this
file by hand after editing a proto. Both go through the same function, so what is installed is what was edited.

Guarantees: the output folder is an exact image of the protos (stale stubs are removed), unchanged files keep their
modification time, and each file is replaced as a whole, so that a process that imports the stubs meanwhile never
reads half a file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
OUTPUT_NAME = "_generated"
TYPE_STUB_PLUGINS = ("mypy", "mypy_grpc")

MARKER = "# Made by tools/gen_protos.py; edit the .proto files instead.\n"
PACKAGE_INIT = MARKER + '"""Generated protobuf messages and gRPC stubs."""\n'


class GenerationError(RuntimeError):
    """The protocol compiler refused the protos; the message is the compiler's own."""


def find_protos(source: Path) -> list[Path]:
    """Returns every proto below `source` in a stable order, leaving out the generated folder."""
    found = (path for path in source.rglob("*.proto") if OUTPUT_NAME not in path.relative_to(source).parts)
    return sorted(found)


def generate(root: Path = REPOSITORY) -> Path:
    """Generates `<root>/protos/_generated` from `<root>/protos` and returns the folder.

    Raises:
        GenerationError: a proto does not compile, or there is none.
    """
    source = root / "protos"
    output = source / OUTPUT_NAME
    with tempfile.TemporaryDirectory(prefix="gen-protos-") as scratch:
        image = _compile(source, scratch=Path(scratch))
        _publish(image, output=output)
    return output


def differences(root: Path = REPOSITORY) -> list[str]:
    """Lists the generated files that are missing, stale or changed by hand, relative to the output folder."""
    source = root / "protos"
    output = source / OUTPUT_NAME
    with tempfile.TemporaryDirectory(prefix="gen-protos-") as scratch:
        image = _compile(source, scratch=Path(scratch))
    present = {str(path.relative_to(output)): path.read_bytes() for path in _files(output)}
    return sorted(name for name in image.keys() | present.keys() if image.get(name) != present.get(name))


def _compile(source: Path, *, scratch: Path) -> dict[str, bytes]:
    """Compiles all protos and returns the content of every file that the output folder must hold, by relative path."""
    protos = find_protos(source)
    if not protos:
        raise GenerationError(f"no .proto file below {source}")
    target = scratch / "out"
    target.mkdir()
    well_known = resources.files("grpc_tools") / "_proto"
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        f"--proto_path={source}",
        f"--proto_path={well_known}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        *_type_stub_options(scratch, target=target),
        *(str(path.relative_to(source)) for path in protos),
    ]
    finished = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise GenerationError(finished.stderr.strip() or f"protoc ended with {finished.returncode}")
    _complete_packages(target)
    return {str(path.relative_to(target)): path.read_bytes() for path in _files(target)}


def _type_stub_options(scratch: Path, *, target: Path) -> Iterator[str]:
    """Yields the options that run mypy-protobuf with this very interpreter.

    The plugins' own programs are on PATH only inside an activated environment, which an isolated build is not.
    """
    for plugin in TYPE_STUB_PLUGINS:
        function = "main" if plugin == "mypy" else "grpc"
        program = scratch / f"protoc-gen-{plugin}"
        program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -c "from mypy_protobuf.main import {function}; {function}()"\n'
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        yield f"--plugin=protoc-gen-{plugin}={program}"
        yield f"--{plugin}_out=quiet:{target}"


def _complete_packages(target: Path) -> None:
    """Makes every folder a regular, typed package; protoc writes modules only."""
    for folder in sorted(path for path in target.rglob("*") if path.is_dir()):
        (folder / "__init__.py").write_text(PACKAGE_INIT)
    for top in (path for path in target.iterdir() if path.is_dir()):
        (top / "py.typed").touch()


def _publish(image: dict[str, bytes], *, output: Path) -> None:
    """Makes `output` hold exactly `image`, touching only what differs."""
    for name, content in image.items():
        path = output / name
        if not path.is_file() or path.read_bytes() != content:
            _replace(path, content=content)
    for path in list(_files(output)):
        if str(path.relative_to(output)) not in image:
            path.unlink(missing_ok=True)
    _remove_empty_folders(output)


def _replace(path: Path, *, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def _files(folder: Path) -> Iterator[Path]:
    """Yields the files below `folder`, without byte code and without files that another generation is writing."""
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            yield path


def _remove_empty_folders(output: Path) -> None:
    """Removes folders that lost their last module; left-over byte code does not keep them."""
    for folder in [path for path in output.rglob("*") if path.is_dir() and path.name != "__pycache__"]:
        if not any(folder.rglob("*.py")):
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Runs the generation, or with `--check` only compares; the exit status is 1 when something is wrong."""
    parser = argparse.ArgumentParser(description="Generate typed stubs from protos/ into protos/_generated/.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the generated code is not up to date"
    )
    options = parser.parse_args()
    try:
        if not options.check:
            print(f"generated {generate().relative_to(REPOSITORY)}")
            return 0
        stale = differences()
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1
    for name in stale:
        print(f"not up to date: protos/{OUTPUT_NAME}/{name}", file=sys.stderr)
    if stale:
        print("run tools/gen_protos.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
