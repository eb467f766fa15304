"""The launch form against the SDK: what the form makes of a value is what the SDK writes, and reads."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import io
import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import pytest
from pydantic import BaseModel
from starlette.datastructures import UploadFile

import flyte.io
from flyte.io.hashing import content_hash
from flyte.spec.digests import inputs_digest
from flyte.types.codecs import codec_for
from flyteapi.task.v1.interface_pb2 import Interface, Parameter
from flyteapi.task.v1.value_pb2 import NamedValues, Pickle, Value
from flyteplane.console.launch.controls import Control
from flyteplane.console.launch.form import LaunchForm
from flyteplane.console.launch.reading import StoredFile
from flyteplane.console.launch.shapes import UploadKind
from flyteplane.console.launch.state import FormState
from flyteplane.console.uploads import folder_hash, name_of_files, paths_in_folder
from flyteplane.foundation.errors import InvalidArgument


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


@dataclasses.dataclass
class Layer:
    width: int
    rate: float = 0.5
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Node:
    name: str
    below: Node | None = None


class Model(BaseModel):
    layer: Layer
    colour: Colour = Colour.RED
    source: flyte.io.File | None = None  # type: ignore[type-arg]  # of no format


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict, total=False):
    depth: int


class Opaque:
    pass


FILE: Any = flyte.io.File.from_existing_remote("s3://bucket/a.csv")
VALUES: list[tuple[Any, Any]] = [
    (int, -7),
    (int, 2**80),
    (float, 0.1),
    (float, math.inf),
    (bool, True),
    (bool, False),
    (str, "two\nlines <b>"),
    (str, ""),
    (bytes, b"\x00\xff"),
    (datetime, datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
    (datetime, datetime(2026, 1, 31, 12, 30, 15, 123456)),
    (date, date(2026, 1, 31)),
    (time, time(12, 30)),
    (timedelta, timedelta(days=1, microseconds=5)),
    (Path, Path("/data/x")),
    (UUID, UUID(int=7)),
    (Decimal, Decimal("1.50")),
    (Colour, Colour.BLUE),
    (Literal["a", "b"], "b"),
    (Literal[1, "b", None], None),
    (list[int], [1, 2, 3]),
    (list[int], []),
    (list[float], [0.5, 2.0]),
    (list[list[str]], [["a"], []]),
    (set[str], {"b", "a"}),
    (set[Colour], {Colour.RED, Colour.BLUE}),
    (tuple[int, str], (1, "x")),
    (tuple[int, ...], (1, 2)),
    (dict[str, int], {"a": 1, "b": 2}),
    (dict[int, str], {1: "x"}),
    (dict[Colour, float], {Colour.RED: 0.5}),
    (dict[str, Any], {"a": [1, "x", None, {"b": 1.5}]}),
    (int | None, 3),
    (int | None, None),
    (str | None, ""),
    (str | None, None),
    (int | str, "5"),
    (datetime | str | None, "2026-01-01"),
    (Layer, Layer(width=3, tags=["x"])),
    (Layer | None, Layer(width=3, rate=1.0)),
    (list[Layer], [Layer(width=1), Layer(width=2)]),
    (Node, Node("top", Node("leaf"))),
    (Model, Model(layer=Layer(width=1), colour=Colour.BLUE, source=FILE)),
    (Point, Point(1, 2)),
    (Options, Options(depth=3)),
    (Options, Options()),
    (flyte.io.File, FILE),
    (flyte.io.File | None, None),
    (flyte.io.File[Any] | None, FILE),
    (list[int] | dict[str, int | None] | str, {"a": None}),
    (flyte.io.Dir, flyte.io.Dir.from_existing_remote("s3://bucket/folder/")),
    (Any, {"a": [1, 2.5, True]}),
    (Any, "text"),
]
IDS = [f"{codec_for(annotation).type_name}-{number}" for number, (annotation, _) in enumerate(VALUES)]


def parameter(annotation: Any, *, default: Any = ...) -> Parameter:
    codec = codec_for(annotation)
    found = Parameter(
        name="x", json_schema=json.dumps(codec.json_schema), type_name=codec.type_name, required=default is ...
    )
    if default is not ...:
        found.default_value = codec.encode(default, name="x").SerializeToString()
    return found


def form_of(annotation: Any, *, default: Any = ..., given: Value | None = None) -> LaunchForm:
    values = None
    if given is not None:
        values = NamedValues()
        values.values.add(name="x").value.CopyFrom(given)
    return LaunchForm(Interface(inputs=[parameter(annotation, default=default)]), given=values)


def posted(form: LaunchForm, **changes: str | tuple[str, ...] | None) -> FormState:
    """What a browser posts of a form as it was opened, with some controls changed; None: taken away."""
    values = dict(form.first.values)
    for name, text in changes.items():
        control = f"inputs.{name}".replace("__", ".")
        values.pop(control, None)
        if text is not None:
            values[control] = (text,) if isinstance(text, str) else text
    return FormState(values)


def read(form: LaunchForm, state: FormState) -> Value:
    answer = form.read(state)
    assert answer.problems == {}
    return answer.values.values[0].value


def rewritten(annotation: Any, value: Any) -> Value:
    """What the form makes of a value by itself: the shown texts are read by a form that was never given the value."""
    shown = form_of(annotation, given=codec_for(annotation).encode(value, name="x")).first
    return read(form_of(annotation), shown)


@pytest.mark.parametrize(("annotation", "value"), VALUES, ids=IDS)
def test_a_value_that_is_shown_is_read_as_the_same_value(annotation: Any, value: Any) -> None:
    written = codec_for(annotation).encode(value, name="x")
    as_read = codec_for(annotation).decode(rewritten(annotation, value))
    if isinstance(value, datetime):
        value = value.replace(microsecond=value.microsecond // 1000 * 1000)
    if isinstance(value, flyte.io.File | flyte.io.Dir):
        assert as_read.path == value.path
    else:
        assert as_read == value
    rerun = form_of(annotation, given=written)
    assert read(rerun, rerun.first) == written
    assert [control.kind for control in rerun.draw(rerun.first, {})] != ["kept"]


#: But for what a picker lacks (microseconds) and for records inside of themselves, whose JSON names no classes.
EXACT = [(one, value) for one, value in VALUES if one is not Node and not getattr(value, "microsecond", 0)]


@pytest.mark.parametrize(("annotation", "value"), EXACT, ids=[f"{number}" for number in range(len(EXACT))])
def test_a_run_from_the_form_finds_what_a_run_from_python_has_cached(annotation: Any, value: Any) -> None:
    written, made = NamedValues(), NamedValues()
    written.values.add(name="x").value.CopyFrom(codec_for(annotation).encode(value, name="x"))
    made.values.add(name="x").value.CopyFrom(rewritten(annotation, value))
    assert inputs_digest(made) == inputs_digest(written)


@pytest.mark.parametrize(
    ("annotation", "texts", "at", "word"),
    [
        (int, {"x": "4.5"}, "inputs.x", "whole number"),
        (int, {"x": ""}, "inputs.x", "Give a value"),
        (int, {"x": "9" * 5000}, "inputs.x", "digits"),
        (float, {"x": "abc"}, "inputs.x", "number"),
        (bytes, {"x": "%%"}, "inputs.x", "base64"),
        (datetime, {"x": "yesterday"}, "inputs.x", "2026"),
        (datetime, {"x": "2026-01-01T00:00", "x__zone": "+99:99"}, "inputs.x", "2026"),
        (timedelta, {"x": "soon"}, "inputs.x", "1h30m"),
        (UUID, {"x": "7"}, "inputs.x", "UUID"),
        (Decimal, {"x": "x"}, "inputs.x", "decimal"),
        (Colour, {"x": "7"}, "inputs.x", "Choose"),
        (Colour, {"x": "-1"}, "inputs.x", "Choose"),
        (int | str, {"x__as": "9"}, "inputs.x", "Choose"),
        (Any, {"x": "{"}, "inputs.x", "JSON"),
        (Any, {"x": "[" * 100000}, "inputs.x", "levels"),
        (Any, {"x": "[" * 60 + "]" * 60}, "inputs.x", "levels"),
        (Any, {"x": '"\\ud800"'}, "inputs.x", "character"),
        (list[int], {"x": ("1", "2"), "x__1": "5", "x__2": "five"}, "inputs.x.2", "whole number"),
        (list[int], {"x": tuple(map(str, range(401)))}, "inputs.x", "400"),
        (
            dict[str, int],
            {"x": ("1", "2"), "x__1__key": "a", "x__1__value": "1", "x__2__key": "a", "x__2__value": "2"},
            "inputs.x.2.key",
            "already",
        ),
        (Layer, {"x__rate": "fast"}, "inputs.x.width", "value"),
        (flyte.io.File, {"x": ""}, "inputs.x", "Choose a file"),
        (flyte.io.File, {"x": "/etc/passwd"}, "inputs.x", "starts with"),
        (Opaque, {}, "inputs.x", "Python"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_control(annotation: Any, texts: Any, at: str, word: str) -> None:
    form = form_of(annotation)
    problems = form.read(posted(form, **texts)).problems
    assert word in problems[at]
    drawn = form.draw(posted(form, **texts), problems)
    assert any(control.name == at and control.problem == problems[at] for control in _all(drawn))


def _all(controls: Any) -> Any:
    for control in controls:
        yield control
        yield from _all(control.children)
        for row in control.rows:
            yield from _all(row.controls)


def test_a_problem_inside_of_a_record_leaves_the_others_their_say() -> None:
    form = form_of(Layer)
    problems = form.read(posted(form, x__rate="fast")).problems
    assert set(problems) == {"inputs.x.width", "inputs.x.rate"}


def test_defaults_stand_in_the_form_and_are_kept_as_they_are_stored() -> None:
    form = form_of(int, default=5)
    assert form.first.text("inputs.x") == "5"
    assert not form.draw(form.first, {})[0].required
    assert read(form, form.first).int == 5
    assert read(form, posted(form, x="6")).int == 6


def test_a_microsecond_that_the_picker_lacks_survives_unless_the_time_is_changed() -> None:
    stored = codec_for(datetime).encode(datetime(2026, 1, 31, 12, 30, 15, 123456), name="x")
    form = form_of(datetime, given=stored)
    assert read(form, form.first) == stored
    assert read(form, posted(form, x="2026-01-31T12:31")).datetime.iso == "2026-01-31T12:31:00"


@pytest.mark.parametrize(
    ("annotation", "make"),
    [
        (Any, lambda: Value(pickle=Pickle(data=b"\x80", type_name="app.Thing"))),
        (list[int], lambda: codec_for(list[int]).encode(list(range(5000)), name="x")),
        (str, lambda: Value(string="x" * 100_000)),
        (str, lambda: Value(string="bell \x07 and \u202eturned")),
        (int, lambda: Value(string="of another type")),
    ],
)
def test_what_a_form_cannot_show_is_kept_in_a_rerun(annotation: Any, make: Callable[[], Value]) -> None:
    stored = make()
    form = form_of(annotation, given=stored)
    (control,) = form.draw(form.first, {})
    assert control.kind == "kept"
    assert "kept" in control.value
    assert read(form, FormState.of([("inputs.x", "anything")])) == stored


def test_line_ends_of_browsers_are_no_change() -> None:
    form = form_of(str, given=Value(string="a\r\nb"))
    assert read(form, FormState.of([("inputs.x", "a\r\nb")])).string in ("a\r\nb", "a\nb")
    assert FormState.of([("inputs.x", "a\r\nb")]).text("inputs.x") == "a\nb"


def test_parts_with_a_default_of_the_class_are_left_out_unless_given() -> None:
    form = form_of(Layer)
    without = read(form, posted(form, x__width="1"))
    assert [part.name for part in without.struct.fields] == ["width", "rate"]
    given = read(form, posted(form, x__width="1", x__tags__given="true", x__tags=("7",), x__tags__7="deep"))
    assert codec_for(Layer).decode(given) == Layer(width=1, tags=["deep"])


def test_a_file_is_uploaded_only_for_controls_that_take_one() -> None:
    form = form_of(list[flyte.io.File[Any] | None])
    state = FormState(
        {"inputs.x": ("1", "2"), "inputs.x.2": ("s3://b/k",)}, {"inputs.x.1": "a.txt", "inputs.y": "b", "inputs.x": "c"}
    )
    assert list(form.uploads(state)) == [("inputs.x.1", UploadKind.FILE)]
    assert form.read(state).problems == {}
    stored = {"inputs.x.1": StoredFile(uri="file:///store/a.txt", name="a.txt", size_bytes=3)}
    value = form.read(state, stored=stored).values.values[0].value
    files = codec_for(list[flyte.io.File[Any] | None]).decode(value)
    assert [file.path for file in files] == ["file:///store/a.txt", "s3://b/k"]


def test_a_folder_is_posted_as_its_files_or_named_by_an_address() -> None:
    form = form_of(dict[str, flyte.io.Dir[Any]])
    state = FormState({"inputs.x": ("1",), "inputs.x.1.key": ("k",)}, {"inputs.x.1.value": "pictures"})
    assert list(form.uploads(state)) == [("inputs.x.1.value", UploadKind.DIR)]
    stored = StoredFile(uri="file:///store/f", name="pictures", size_bytes=9, hash="ab")
    value = form.read(state, stored={"inputs.x.1.value": stored}).values.values[0].value
    folder = codec_for(dict[str, flyte.io.Dir[Any]]).decode(value)["k"]
    assert (folder.path, folder.name, folder.hash) == ("file:///store/f", "pictures", "ab")
    nothing = form.read(FormState({"inputs.x": ("1",), "inputs.x.1.key": ("k",)}))
    assert "Choose a folder" in nothing.problems["inputs.x.1.value"]
    # A browser forgets what was chosen when a form comes back: the page says what it was.
    (control,) = form.draw(state, {"inputs.x.1.key": "no"})
    assert control.rows[0].controls[1].forgotten == "pictures"


def file_named(name: str, content: bytes = b"") -> UploadFile:
    return UploadFile(io.BytesIO(content), filename=name)


def test_posted_files_keep_their_paths_below_the_folder_that_was_chosen() -> None:
    chosen = [file_named("pics/a.png"), file_named("pics/deep/b.png")]
    assert list(paths_in_folder(chosen)) == ["a.png", "deep/b.png"]
    assert name_of_files(chosen) == "pics"
    loose = [file_named("a.png"), file_named("ü b.png")]
    assert list(paths_in_folder(loose)) == ["a.png", "ü b.png"]
    assert name_of_files(loose) == "2 files"
    with pytest.raises(InvalidArgument, match=r"two files 'a\.png'"):
        paths_in_folder([*loose, file_named("pics/a.png")])


def test_a_folder_has_the_hash_that_it_has_in_python(tmp_path: Path) -> None:
    contents = {"b.txt": b"b", "a/ü.txt": b"a", "a.txt": b""}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).digest() for name, content in contents.items()}
    assert folder_hash(digests) == content_hash(tmp_path)


def test_a_table_is_parquet_or_csv() -> None:
    form = form_of(flyte.io.DataFrame)
    problems = form.read(FormState({}, {"inputs.x": "notes.txt"})).problems
    assert "parquet" in problems["inputs.x"]
    answer = form.read(
        FormState({}, {"inputs.x": "t.CSV"}), stored={"inputs.x": StoredFile(uri="file:///t", name="t", size_bytes=1)}
    )
    assert answer.values.values[0].value.reference.format == "csv"


def test_a_schema_that_nobody_understands_asks_for_json() -> None:
    for schema in ("", "{", "[]", '{"$ref": "#/$defs/Gone"}', '{"anyOf": 3}', "[" * 100000, '{"type": ["x"]}'):
        form = LaunchForm(Interface(inputs=[Parameter(name="x", json_schema=schema, required=True)]))
        (control,) = form.draw(form.first, {})
        assert control.kind == "json"


def test_rows_are_drawn_with_what_they_hold_and_a_new_row_with_its_defaults() -> None:
    form = form_of(list[Layer], given=codec_for(list[Layer]).encode([Layer(width=1), Layer(width=2)], name="x"))
    (control,) = form.draw(form.first, {})
    assert [row.controls[0].children[0].value for row in control.rows] == ["1", "2"]
    assert control.new_row is not None
    fresh: Control = control.new_row.controls[0]
    assert [(part.name, part.value) for part in fresh.children[:2]] == [
        ("inputs.x.__NEW0__.width", ""),
        ("inputs.x.__NEW0__.rate", "0.5"),
    ]
