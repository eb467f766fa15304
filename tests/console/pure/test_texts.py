"""Texts of strangers and captured output, before templates escape them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyteplane.console.ansi import LONGEST_LINE, AnsiLines, plain
from flyteplane.console.rendering import Rendering
from flyteplane.console.visible import visible


def lines(*pieces: bytes) -> list[list[tuple[str, str]]]:
    reader = AnsiLines()
    found = [line for piece in pieces for line in reader.feed(piece)] + reader.end()
    return [[(piece.text, piece.classes) for piece in line] for line in found]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nof lines", "plain\ttext\nof lines"),
        ("\x00\x1b\r\x7f", "␀␛␍␡"),
        ("user\u202egpj.exe", "user\ufffdgpj.exe"),
        ("zero\u200bwidth\u2066\x85", "zero\ufffdwidth\ufffd\ufffd"),
        ("grüße 🎉 日本", "grüße 🎉 日本"),
    ],
)
def test_characters_that_act_are_shown_as_signs(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(7) == 7


def test_templates_escape_and_show_whatever_they_put_out() -> None:
    page = Rendering().render("login.html", following='"><script>\x1b', problem="<b>\u202e", by_link=True)
    assert "<b>" not in page
    assert 'value="&#34;&gt;&lt;script&gt;␛"' in page
    assert "\u202e" not in page


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"a\nb", [[("a", "")], [("b", "")]]),
        (b"\x1b[31mred\x1b[0m off\n", [[("red", "ansi-red"), (" off", "")]]),
        (b"\x1b[1;4;92mall\x1b[22;24;39mnone\n", [[("all", "ansi-green ansi-bold ansi-underline"), ("none", "")]]),
        (b"\x1b[31mred\nstill\x1b[m\n", [[("red", "ansi-red")], [("still", "ansi-red")]]),
        (b"\x1b[38;5;200mx\x1b[38;2;1;2;3my\x1b[48;5;1mz\n", [[("x", ""), ("y", ""), ("z", "")]]),
        (
            b"\x1b]0;title\x07\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\\x1b[2J\x1b[10;10Hat\n",
            [[("link", ""), ("at", "")]],
        ),
        (b"10%\r50%\r100%\nnext\r\n", [[("100%", "")], [("next", "")]]),
        (b"\xff\xfe<b>\x07\n", [[("\ufffd\ufffd<b>␇", "")]]),
    ],
)
def test_output_keeps_its_colours_and_loses_what_moves_a_terminal(
    written: bytes, shown: list[list[tuple[str, str]]]
) -> None:
    assert lines(written) == shown


@given(st.binary(max_size=300), st.integers(0, 300))
def test_output_may_be_cut_anywhere(data: bytes, at: int) -> None:
    whole, cut = lines(data), lines(data[:at], data[at:])
    assert whole == cut
    assert all("\x1b" not in text and "\n" not in text for line in whole for text, _ in line)


def test_a_line_without_an_end_is_cut_into_pieces() -> None:
    reader = AnsiLines()
    assert len(reader.feed(b"x" * (LONGEST_LINE * 3 + 1))) == 3
    assert [piece.text for piece in reader.end()[0]] == ["x"]


def test_errors_lose_their_escapes() -> None:
    assert plain("\x1b[31mred\x1b[0m \x1b]0;t\x07text") == "red text"
