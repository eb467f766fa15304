"""Lines of `flyte.logger`: seen where nobody set up logging, and left to the program where it did."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

import flyte
from flyte.authoring.logs import LogSettings, apply_variables

PROGRAM = """
import logging, sys
import flyte
{setup}
flyte.logger.info("a line")
flyte.system_logger.info("of the SDK")
logging.getLogger("other").warning("of another")
"""


def lines_of(setup: str) -> list[str]:
    program = PROGRAM.format(setup=setup)
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == ""
    return finished.stderr.splitlines()


def test_where_nobody_set_up_logging_the_lines_go_to_standard_error() -> None:
    line, other = lines_of("")
    assert line.endswith(" INFO a line")
    assert other == "of another"


def test_a_program_that_set_up_logging_gets_each_line_once_and_its_own_way() -> None:
    assert lines_of("logging.basicConfig(format='mine: %(message)s')") == ["mine: a line", "mine: of another"]


def test_json_lines_have_one_object_each() -> None:
    line, _ = lines_of("flyte.init(log_format='json', log_level=logging.WARNING)")
    assert json.loads(line) | {"time": ""} == {"time": "", "level": "info", "logger": "flyte.user", "message": "a line"}


def test_the_root_logger_writes_the_same_way_if_it_is_reset() -> None:
    lines = lines_of("flyte.init(log_format='json', reset_root_logger=True)")
    assert [json.loads(line)["message"] for line in lines] == ["a line", "of another"]


def test_the_level_decides() -> None:
    assert len(lines_of("flyte.init(user_log_level=logging.ERROR)")) == 1


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="log_format must be 'console' or 'json', got 'xml'"):
        flyte.with_runcontext(log_format="xml")


def test_workers_are_told_by_variables() -> None:
    settings = LogSettings(level=10, user_level=20, format="json")
    assert settings.variables() == {"LOG_LEVEL": "10", "USER_LOG_LEVEL": "20", "LOG_FORMAT": "json"}
    assert LogSettings().variables() == {}


def test_variables_name_levels_or_give_their_numbers_and_are_otherwise_not_ours() -> None:
    try:
        apply_variables({"LOG_LEVEL": "debug", "USER_LOG_LEVEL": "40"})
        assert (flyte.system_logger.level, flyte.logger.level) == (logging.DEBUG, logging.ERROR)
        apply_variables({"LOG_LEVEL": "loudest", "LOG_FORMAT": "pretty"})
    finally:
        apply_variables({})
    assert (flyte.system_logger.level, flyte.logger.level) == (logging.WARNING, logging.INFO)
