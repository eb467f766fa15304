"""The whole public surface: names, parameters, their order and kinds, and defaults."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_origin

import pytest
from tests.sdk.surface.public_names import ABSENT, ABSENT_MODULES, AWAITED_TOO, SURFACE

import flyte

VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
LINES = [
    pytest.param(module, *line.partition(":")[::2], ":" in line, id=f"{module}.{line.partition(':')[0]}")
    for module, text in SURFACE.items()
    for line in re.sub(r"\n +", " ", text.strip()).splitlines()
]


def find(module: str, path: str) -> Any:
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        fallback = next((field for field in _fields(found) if field.name == name), None)
        found = getattr(found, name, fallback)
        assert found is not None, f"{module}.{path} is missing"
    return found


def _fields(found: Any) -> tuple[Any, ...]:
    return fields(found) if isinstance(found, type) and is_dataclass(found) else ()


def wanted(parameters: str) -> inspect.Signature:
    """Read a line of the table; a default that is left open is Ellipsis."""
    opened = parameters.replace("=,", "=...,")
    text = f"{opened}..." if opened.endswith("=") else opened
    return inspect.signature(eval(f"lambda {text}: None"))


@pytest.mark.parametrize(("module", "path", "parameters", "is_callable"), LINES)
def test_a_name_is_there_with_its_parameters(module: str, path: str, parameters: str, is_callable: bool) -> None:
    found = find(module, path)
    if not is_callable:
        return
    assert callable(found)
    have = [one for one in inspect.signature(found).parameters.values() if one.name != "self"]
    want = [one for one in wanted(parameters.strip()).parameters.values() if one.name != "self"]
    by_name = {one.name: one for one in have}
    for parameter in want:
        assert parameter.name in by_name or parameter.kind in VARIABLE, f"{path} has no parameter {parameter.name}"
        if parameter.kind in VARIABLE:
            assert any(one.kind is parameter.kind for one in have), f"{path} takes no {parameter}"
            continue
        ours = by_name[parameter.name]
        assert _takes(ours, parameter), f"{path}: {parameter.name} is {ours.kind.description}"
        if parameter.default is not ...:
            assert ours.default == parameter.default, f"{path}: the default of {parameter.name}"
        else:
            assert ours.default is not inspect.Parameter.empty or ours.name == "icon"
    positional = [one.name for one in want if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert [one.name for one in have if one.name in positional] == positional, f"{path}: the order differs"
    known = {one.name for one in want}
    for extra in (one for one in have if one.name not in known and one.kind not in VARIABLE):
        assert extra.default is not inspect.Parameter.empty, f"{path}: {extra.name} has to be given here"


def _takes(ours: inspect.Parameter, wanted: inspect.Parameter) -> bool:
    """Tell whether a call that is right for the one is right for the other."""
    if wanted.kind is inspect.Parameter.KEYWORD_ONLY:
        return ours.kind is not inspect.Parameter.POSITIONAL_ONLY
    if wanted.kind is inspect.Parameter.POSITIONAL_ONLY:
        return ours.kind is not inspect.Parameter.KEYWORD_ONLY
    return ours.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


@pytest.mark.parametrize("path", AWAITED_TOO)
def test_what_speaks_to_the_platform_blocks_or_is_awaited(path: str) -> None:
    owner, _, name = path.rpartition(".")
    holder: Any = find("flyte.remote", owner) if owner else importlib.import_module("flyte.remote")
    face = inspect.getattr_static(holder, name)
    if hasattr(face, "__get__") and owner:
        face = face.__get__(object.__new__(holder), holder)
    assert callable(face.aio)


def _absent() -> Iterator[tuple[str, str]]:
    for module, names in ABSENT.items():
        for name in names:
            yield module, name


@pytest.mark.parametrize(("module", "name"), list(_absent()))
def test_what_is_left_out_says_so_and_what_to_do_instead(module: str, name: str) -> None:
    with pytest.raises(ImportError, match=rf"{module}.{name} is not part of this SDK\. \w+"):
        exec(f"from {module} import {name}")
    assert name not in dir(importlib.import_module(module))


@pytest.mark.parametrize("module", ABSENT_MODULES)
def test_a_module_that_is_left_out_says_so_and_any_other_is_not_found(module: str) -> None:
    with pytest.raises(ImportError, match=r"flyte\.\w+(\.\w+)? is not part of this SDK\. \w+"):
        exec(f"from {module} import Anything")
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        importlib.import_module(f"{module.partition('.')[0]}.nowhere")


def test_a_star_import_takes_no_name_of_typing_away() -> None:
    assert set(importlib.import_module("flyte.types").__all__).isdisjoint(typing.__all__)


def test_the_types_of_requests_are_types() -> None:
    assert get_origin(flyte.CacheRequest) is not None
    assert get_origin(flyte.SecretRequest) is not None
    assert isinstance(flyte.models.ActionPhase.QUEUED, str)


def test_importing_the_sdk_is_quick_and_loads_nothing_heavy() -> None:
    program = (
        "import sys, time; begun = time.perf_counter(); import flyte; took = time.perf_counter() - begun;"
        "print([took, sorted({name.partition('.')[0] for name in sys.modules})])"
    )
    # The best of some: the machine may be busy, the import is not quicker than it is.
    answers = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    took, loaded = min(ast.literal_eval(answer) for answer in answers)
    assert took < 0.150
    assert {"grpc", "pydantic", "rich", "kubernetes", "sqlalchemy"}.isdisjoint(loaded)
