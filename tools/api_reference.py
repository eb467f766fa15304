#!/usr/bin/env python3
"""Writes `docs/api`, the reference of every rpc and message, from the comments of the protos.

    tools/api_reference.py            writes it
    tools/api_reference.py --check    fails if what is there is not what the protos say

The pages are committed, so that they can be read without building anything; a test calls the check.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from gen_protos import REPOSITORY, GenerationError, find_protos

PAGES: Final = Path("docs") / "api"
_PACKAGES: Final = "flyteapi/"
_MARKER: Final = "<!-- Made by tools/api_reference.py from the protos; edit these instead. -->\n"
# Numbers of fields in the descriptors' own messages: paths to comments are made of them.
_MESSAGES, _ENUMS, _SERVICES, _SYNTAX = 4, 5, 6, 12
_FIELDS, _NESTED, _NESTED_ENUMS, _VALUES, _METHODS = 2, 3, 4, 2, 2
_TYPES: Final = {number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()}


@dataclass(frozen=True, slots=True)
class Page:
    """One file of the reference."""

    name: str
    text: str


def pages(root: Path = REPOSITORY) -> list[Page]:
    """The whole reference, the index first. Raises GenerationError."""
    described = _described(root).file
    found = sorted((file for file in described if file.name.startswith(_PACKAGES)), key=lambda file: file.name)
    by_type = _pages_by_type(found)
    made = [Page(_page_name(file.name), _FilePage(file, by_type).text()) for file in found]
    return [Page("README.md", _index(found)), *made]


def write(root: Path = REPOSITORY) -> None:
    """Write all pages, and remove those of protos that are gone."""
    folder = root / PAGES
    folder.mkdir(parents=True, exist_ok=True)
    made = {page.name: page.text for page in pages(root)}
    for path in folder.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text)


def differences(root: Path = REPOSITORY) -> list[str]:
    """The pages that are missing, stale, or of a proto that is gone."""
    folder = root / PAGES
    made = {page.name: page.text for page in pages(root)}
    there = {path.name: path.read_text() for path in folder.glob("*.md")}
    return sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))


def _described(root: Path) -> FileDescriptorSet:
    from grpc_tools import protoc

    source = root / "protos"
    protos = [path for path in find_protos(source) if path.relative_to(source).parts[0] == "flyteapi"]
    with tempfile.TemporaryDirectory(prefix="api-reference-") as scratch:
        out = Path(scratch) / "descriptors"
        options = [f"-I{source}", f"-I{resources.files('grpc_tools') / '_proto'}", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *options, "--include_source_info", *map(str, protos)]):
            raise GenerationError("the protos do not compile")
        return FileDescriptorSet.FromString(out.read_bytes())


class _FilePage:
    """The page of one proto."""

    def __init__(self, file: FileDescriptorProto, pages: Mapping[str, str]) -> None:
        self._file = file
        self._pages = pages
        self._comments = {
            tuple(place.path): _prose(place.leading_comments)
            for place in file.source_code_info.location
            if place.leading_comments
        }
        syntax = next((place for place in file.source_code_info.location if list(place.path) == [_SYNTAX]), None)
        self._about = _prose(syntax.leading_comments) if syntax is not None else ""

    def text(self) -> str:
        """The page."""
        parts = [f"# {_title(self._file)}", _MARKER + f"`{self._file.name}`, package `{self._file.package}`"]
        parts += [self._about] if self._about else []
        for number, service in enumerate(self._file.service):
            parts += [f"## {service.name}", self._comment(_SERVICES, number)]
            for position, method in enumerate(service.method):
                parts += self._method(method, (_SERVICES, number, _METHODS, position))
        if self._file.message_type:
            parts.append("## Messages")
        for number, message in enumerate(self._file.message_type):
            parts += self._message(message, (_MESSAGES, number), prefix="")
        for number, enum in enumerate(self._file.enum_type):
            parts += self._enum(enum, (_ENUMS, number), prefix="")
        return "\n\n".join(part for part in parts if part) + "\n"

    def _method(self, method: MethodDescriptorProto, path: tuple[int, ...]) -> Iterator[str]:
        asks = f"{'stream ' if method.client_streaming else ''}{self._link(method.input_type)}"
        answers = f"{'stream ' if method.server_streaming else ''}{self._link(method.output_type)}"
        yield f"### {method.name}"
        yield f"`rpc` {asks} → {answers}"
        yield self._comment(*path)

    def _message(self, message: DescriptorProto, path: tuple[int, ...], *, prefix: str) -> Iterator[str]:
        if message.options.map_entry:
            return
        name = f"{prefix}{message.name}"
        yield f"### {name}"
        yield self._comment(*path)
        rows = [self._field(message, field, (*path, _FIELDS, number)) for number, field in enumerate(message.field)]
        if rows:
            yield "\n".join(["| field | type | |", "| --- | --- | --- |", *rows])
        for number, nested in enumerate(message.nested_type):
            yield from self._message(nested, (*path, _NESTED, number), prefix=f"{name}.")
        for number, enum in enumerate(message.enum_type):
            yield from self._enum(enum, (*path, _NESTED_ENUMS, number), prefix=f"{name}.")

    def _field(self, message: DescriptorProto, field: FieldDescriptorProto, path: tuple[int, ...]) -> str:
        about = self._comment(*path).replace("\n", " ").replace("|", "\\|")
        if field.HasField("oneof_index") and not field.proto3_optional:
            about = f"*one of `{message.oneof_decl[field.oneof_index].name}`.* {about}"
        return f"| `{field.name}` | {self._type_of(message, field)} | {about.strip()} |"

    def _type_of(self, message: DescriptorProto, field: FieldDescriptorProto) -> str:
        for entry in message.nested_type:
            if entry.options.map_entry and field.type_name.endswith(f".{entry.name}"):
                key, value = entry.field
                return f"map of {self._plain_type(key)} to {self._plain_type(value)}"
        kind = self._plain_type(field)
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"repeated {kind}"
        return f"optional {kind}" if field.proto3_optional else kind

    def _plain_type(self, field: FieldDescriptorProto) -> str:
        return self._link(field.type_name) if field.type_name else _TYPES[field.type]

    def _enum(self, enum: EnumDescriptorProto, path: tuple[int, ...], *, prefix: str) -> Iterator[str]:
        yield f"### {prefix}{enum.name}"
        yield self._comment(*path)
        rows = [
            f"| `{value.name}` | {value.number} | {self._comment(*path, _VALUES, number).replace(chr(10), ' ')} |"
            for number, value in enumerate(enum.value)
        ]
        yield "\n".join(["| value | number | |", "| --- | --- | --- |", *rows])

    def _link(self, type_name: str) -> str:
        """A type as a link to where it is told of."""
        full = type_name.removeprefix(".")
        if not full.startswith("flyteapi."):
            return f"`{full}`"
        package = ".".join(part for part in full.split(".") if not part[:1].isupper())
        name = full.removeprefix(f"{package}.")
        page = self._pages[f"{package}.{name.split('.')[0]}"]
        here = "" if page == _page_name(self._file.name) else page
        return f"[{name}]({here}#{name.lower().replace('.', '')})"

    def _comment(self, *path: int) -> str:
        return self._comments.get(path, "")


def _pages_by_type(files: Sequence[FileDescriptorProto]) -> dict[str, str]:
    """In which page each type is told of; nested ones are with the outermost."""
    found: dict[str, str] = {}
    for file in files:
        names = [*(one.name for one in file.message_type), *(one.name for one in file.enum_type)]
        found |= {f"{file.package}.{name}": _page_name(file.name) for name in names}
    return found


def _index(files: Sequence[FileDescriptorProto]) -> str:
    lines = ["# API reference", _MARKER.strip(), ""]
    lines += ["Every rpc, from the comments of `protos/`. How to call them: [clients](../clients.md).", ""]
    lines += ["| service | rpcs |", "| --- | --- |"]
    for file in files:
        for service in file.service:
            page = _page_name(file.name)
            rpcs = ", ".join(f"[{method.name}]({page}#{method.name.lower()})" for method in service.method)
            lines.append(f"| [{file.package}.{service.name}]({page}) | {rpcs} |")
    others = [file.name for file in files if not file.service]
    shared = ", ".join(f"[{name.removeprefix(_PACKAGES)}]({_page_name(name)})" for name in others)
    return "\n".join([*lines, "", f"Messages that several share: {shared}.", ""])


def _title(file: FileDescriptorProto) -> str:
    return file.service[0].name if len(file.service) == 1 else Path(file.name).stem.replace("_", " ").capitalize()


def _page_name(proto: str) -> str:
    """`flyteapi/admin/v1/run_service.proto` is told of in `admin_run_service.md`."""
    _, area, *_, file = proto.split("/")
    return f"{area}_{Path(file).stem}.md"


def _prose(comment: str) -> str:
    """A comment as Markdown: its paragraphs, and its tables and lists as they are."""
    lines = [re.sub(r"^ ", "", line).rstrip() for line in comment.strip("\n").split("\n")]
    return "\n".join(lines).strip().replace("<", "&lt;")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the API reference from the protos.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the reference is stale")
    if not parser.parse_args(arguments).check:
        write()
        return 0
    stale = differences()
    for name in stale:
        print(f"{PAGES / name} is stale: run tools/api_reference.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
