"""Names of settings: what pages speak of exists, and what exists is spoken of."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from tests.docs.pages import PAGES, ROOT, all_blocks, words

from flyte.authoring.task import TaskTemplate
from flyte.authoring.task_environment import TaskEnvironment
from flyte.config import reading
from flyte.spec.environment_variables import PLATFORM_NAMES
from flyte.spec.resolve import PARAMETERS
from flyte.spec.settings import TaskSettings
from flyteplane.launcher.operator_schema import File

VARIABLE = re.compile(r"\b_?(?:FLYTE|FLYTEPLANE|UCTL|FLYTECTL)_[A-Z0-9_]*[A-Z0-9]\b")
DOCS = ROOT / "docs"


def variables_in(*folders: str) -> set[str]:
    texts = (path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {name for text in texts for name in VARIABLE.findall(text)}


def test_environment_variables_of_pages_exist_and_all_are_in_a_page() -> None:
    told = {name for page in PAGES for name in VARIABLE.findall(page.read_text())}
    read = variables_in("sdk", "services")
    options = {f"FLYTE_{section}_{option}".upper() for section, option in config_options()}
    assert told - read - options - variables_in("tests") == set()
    assert read - told == set()
    assert set(PLATFORM_NAMES) <= told


def config_options() -> set[tuple[str, str]]:
    source = (ROOT / "sdk/flyte/config/reading.py").read_text()
    assert reading.auto is not None
    return set(re.findall(r'source\.\w+\("(\w+)", "(\w+)"\)', source))


def test_the_page_of_the_configuration_has_every_option_once() -> None:
    (block,) = (block for block in all_blocks("yaml") if block.page.name == "configuration.md")
    shown = {(section, option) for section, options in yaml.safe_load(block.text).items() for option in options}
    assert shown - config_options() == {("image", "image_refs")}
    # In the comment beside `apiKeyFile`, which one of them goes with.
    assert config_options() - shown == {("admin", "apiKey"), ("admin", "command")}


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, spec in model.model_fields.items():
        yield f"{path}{name}"
        for inner in models_of(spec.annotation):
            yield from keys_of(inner, f"{path}{name}.")


def models_of(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from models_of(inner)


def test_every_key_of_the_operators_file_is_in_a_page() -> None:
    told = "\n".join(page.read_text() for page in PAGES)
    keys = list(keys_of(File))
    assert len(keys) > 100
    assert [key for key in keys if not re.search(rf"\b{key.rpartition('.')[2]}\b", told)] == []


def rows(page: str) -> dict[str, list[str]]:
    """The rows of the tables of a page by the first name in them."""
    table = [line.strip("|").split("|") for line in (DOCS / page).read_text().splitlines() if line.startswith("| `")]
    return {name: [cell.strip() for cell in cells] for cells in table for name in re.findall(r"`(\w+)`", cells[0])}


def test_the_table_of_task_configuration_is_that_of_the_code() -> None:
    told = rows("task-configuration.md")
    refused = {"task_resolver", "produces_artifacts"}
    for parameter in PARAMETERS:
        if parameter.name in refused:
            continue
        for name in (parameter.name, *parameter.spellings):
            if name == "name":  # of the environment it is another thing
                continue
            _, environment, decorator, override, default, _ = told.pop(name)
            said = (bool(environment), bool(decorator), bool(override))
            assert said == (parameter.environment, parameter.decorator, parameter.override), name
            fixed = any("*" in cell for cell in (decorator, override))
            assert fixed == parameter.fixed_while_reused, name
            assert not re.fullmatch(r"`(False|True)`", default) or default == f"`{default_of(parameter.name)}`", name
    assert told.keys() == {"name"}
    assert {"override"} <= set(dir(TaskTemplate))
    assert TaskEnvironment("documented").cache == "disable"


def default_of(name: str) -> object:
    return getattr(TaskSettings(), name).value


def test_codes_of_failures_and_reasons_of_refusals_in_pages_are_those_of_the_code() -> None:
    """A code is capitals with an underscore between backquotes; those of other projects stand without."""
    sources = [path for folder in ("sdk", "services", "protos/flyteapi") for path in (ROOT / folder).rglob("*.*")]
    written = {
        code
        for path in sources
        if path.suffix in (".py", ".proto")
        for code in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", path.read_text())
    }
    pages = ("failures.md", "databases.md", "identity.md", "reuse.md", "upgrades.md", "troubleshooting.md")
    told = {code for page in pages for code in re.findall(r"`([A-Z0-9]+(?:_[A-Z0-9]+)+)`", (DOCS / page).read_text())}
    assert len(told) > 50
    assert told - written == set()


IDENTIFIER = re.compile(r"\b[A-Za-z]\w*_\w*[A-Za-z0-9]\b|\b[A-Z][a-z]+[A-Z]\w+\b|\b[a-z]+[A-Z]\w+\b")
METRIC = re.compile(r"(?:flyteplane_|reuse_)\w*|\w+_total")  # compared with a running platform in tests/telemetry
SUFFIXES = (".py", ".proto", ".yaml", ".json", ".js", ".html")
FOLDERS = re.compile(r"(?:tests|docs|services|sdk|tools|deploy|examples|protos)/")
COMPOSED = {"zsh_source", "fish_source", "run_url"}


def test_names_in_pages_are_those_of_the_code() -> None:
    """Events of the log, fields, functions, messages: whatever looks like an identifier between backquotes."""
    folders = ("sdk", "services", "tests", "deploy", "protos/flyteapi", "tools")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    code = "\n".join(f"{path.stem} {path.read_text()}" for path in files)
    spelled_otherwise = COMPOSED | {f"FLYTE_{section}_{option}".upper() for section, option in config_options()}
    named = {
        (name, page.name)
        for page in PAGES
        for word in words(page)
        for name in IDENTIFIER.findall(word)
        if name not in spelled_otherwise and not METRIC.fullmatch(name)
    }
    assert sorted(pair for pair in named if pair[0] not in code) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_a_page_are_there(page: Path) -> None:
    named = [word for word in words(page) if FOLDERS.match(word) and re.fullmatch(r"[\w./-]+", word)]
    assert [path for path in named if not (ROOT / path).exists()] == []
