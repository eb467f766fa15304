"""The options that an interface gives, of a task of this process and of one that is only stored."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
import rich_click as click

from flyte.authoring.interface import NativeInterface
from flyte.cli.inputs import PREFIX, options_of, options_of_schema
from flyte.client.deployed_inputs import encode_for_interface
from flyte.io import File
from flyte.types.interface import InterfaceCodec, interface_codec


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


@dataclass
class Job:
    rate: float
    when: datetime
    levels: list[Level] = field(default_factory=list)
    source: File[Any] | None = None


def train(
    job: Job,
    level: Level = Level.LOW,
    mode: Literal["fast", "slow"] = "fast",
    deep: bool = False,
    pause: timedelta = timedelta(minutes=1),
    sizes: dict[int, tuple[int, str]] | None = None,
) -> None:
    """Train.

    Args:
        job: What to do.
    """


INTERFACE = NativeInterface.from_callable(train)
CODEC: InterfaceCodec = interface_codec(INTERFACE)
ARGUMENTS = {
    "job": '{"rate": 1, "when": "2024-01-01T00:00:00Z", "levels": ["HIGH"], "source": "s3://b/x"}',
    "level": "HIGH",
    "mode": "slow",
    "pause": "PT90S",
    "sizes": '{"3": [1, "a"]}',
}


def here() -> list[click.Option]:
    return options_of(INTERFACE)


def deployed() -> list[click.Option]:
    return options_of_schema(CODEC.to_proto())


def converted(options: list[click.Option]) -> dict[str, Any]:
    """Returns what the arguments mean."""
    by_name = {str(option.name).removeprefix(PREFIX): option for option in options}
    return {name: by_name[name].type.convert(text, by_name[name], None) for name, text in ARGUMENTS.items()}


@pytest.mark.parametrize("options", [here, deployed])
def test_each_input_is_an_option_with_its_type_default_and_description(
    options: Callable[[], list[click.Option]],
) -> None:
    job, level, mode, deep, pause, sizes = options()
    assert job.required
    assert "What to do." in str(job.help)
    assert (job.metavar, level.metavar, mode.metavar) == ("Job", "[LOW|HIGH]", "[fast|slow]")
    assert deep.secondary_opts == ["--no-deep"]
    assert (pause.required, sizes.required) == (False, False)
    assert "LOW" in str(level.help)


def test_the_help_of_a_record_says_what_its_json_is_made_of() -> None:
    assert "JSON of rate, when, [levels], [source]." in str(here()[0].help)
    assert [option.help for option in deployed()[4:]] == ['[default: "PT60S"]', "[default: null]"]


def test_a_shell_completes_choices() -> None:
    for level in (here()[1], deployed()[1]):
        context = click.Context(click.Command("run"))
        assert [item.value for item in level.type.shell_complete(context, level, "h")] == ["HIGH"]


def test_arguments_of_a_task_of_this_process_are_its_values() -> None:
    job = Job(1.0, datetime(2024, 1, 1, tzinfo=UTC), [Level.HIGH], File.from_existing_remote("s3://b/x"))
    assert converted(here()) == {
        "job": job,
        "level": Level.HIGH,
        "mode": "slow",
        "pause": timedelta(seconds=90),
        "sizes": {3: (1, "a")},
    }


def test_arguments_of_a_deployed_task_arrive_as_the_same_values() -> None:
    values = encode_for_interface(CODEC.to_proto(), (), converted(deployed()), task_name="train")
    found = CODEC.decode_inputs(values.SerializeToString())
    assert found == {**converted(here()), "deep": False}


@pytest.mark.parametrize("options", [here, deployed])
@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("job", '{"rate": 1}', "when: this field is missing"),
        ("job", '{"rate": 1, "when": "soon"}', "when: 'soon' is no datetime"),
        ("job", '{"rate": 1, "when": "2024-01-01", "level": 1}', "level: there is no such field"),
        ("level", "MIDDLE", "none of LOW, HIGH"),
        ("sizes", '{"x": [1, "a"]}', "Expected a value of type"),
        ("pause", "soon", "use 1h30m"),
    ],
)
def test_a_bad_argument_is_refused_where_it_stands(
    options: Callable[[], list[click.Option]], name: str, text: str, words: str
) -> None:
    option = next(option for option in options() if option.name == PREFIX + name)
    with pytest.raises(click.BadParameter, match=words):
        option.type.convert(text, option, None)
