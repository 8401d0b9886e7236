"""How the commands write: tones, widths, tables, and what is said while one waits."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.cli.look import Look, Span, cells, cut, look_of, plain, printable, table
from asgi_resync.cli.progress import CLEAR, progress


class Terminal(io.TextIOWrapper):
    """A stream that says whether it is a terminal."""

    def __init__(self, *, is_terminal: bool = True, encoding: str = "utf-8") -> None:
        self.buffered = io.BytesIO()
        self.wrote = threading.Event()
        self._is_terminal = is_terminal
        super().__init__(self.buffered, encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        done = super().write(text)
        self.wrote.set()
        return done

    def seen(self) -> str:
        return self.buffered.getvalue().decode()


@pytest.mark.parametrize(
    ("environ", "is_terminal", "has_colour"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm"}, False, False),
        ({}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colour_is_for_terminals_and_for_who_says_so(
    environ: Mapping[str, str], is_terminal: bool, has_colour: bool
) -> None:
    """NO_COLOR wins over FORCE_COLOR, which wins over what the stream is."""
    look = look_of(Terminal(is_terminal=is_terminal), environ, "linux")

    assert has_colour == look.has_colour


@pytest.mark.parametrize(("environ", "has_colour"), [({}, False), ({"WT_SESSION": "1"}, True)])
def test_on_windows_only_its_terminal_is_known_to_have_colour(environ: Mapping[str, str], has_colour: bool) -> None:
    """Older consoles would show the codes."""
    assert has_colour == look_of(Terminal(), environ, "win32").has_colour


def test_a_line_is_written_with_its_tones_or_without() -> None:
    """And in ASCII where the encoding has no more."""
    line = [Span("✓ ", "good"), Span("tws"), Span("", "bad"), Span(" – 1 ms", "dim")]

    assert "✓ tws – 1 ms" == Look().text(line)
    assert "\x1b[32m✓ \x1b[0mtws\x1b[2m – 1 ms\x1b[0m" == Look(has_colour=True).text(line)
    assert "+ tws - 1 ms" == look_of(Terminal(encoding="latin-1"), {"NO_COLOR": "1"}).text(line)
    assert look_of(Terminal(), {}).is_ascii is False


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plan", "plan"),
        ("größe", "größe"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\x9b", "a\\nb\\x9b"),
        ("a\u202eb", "a\\u202eb"),
    ],
)
def test_no_name_acts_on_the_terminal(text: str, shown: str) -> None:
    """Escapes, new lines and turns of direction are spelled out."""
    assert shown == printable(text)


@pytest.mark.parametrize(("text", "columns"), [("plan", 4), ("日本", 4), ("é", 1), ("e\u0301", 1), ("", 0)])
def test_columns_are_counted_as_terminals_do(text: str, columns: int) -> None:
    """Wide letters take two, accents none."""
    assert columns == cells(text)


@given(st.lists(st.text(st.sampled_from("ab日é \u0301"))), st.integers(min_value=0, max_value=20))
def test_a_line_that_is_cut_fits(texts: list[str], columns: int) -> None:
    """Whatever it holds; and what fits is not cut."""
    line = [Span(text) for text in texts]
    short = plain(cut(line, columns))

    assert cells(short) <= columns
    assert cells(plain(line)) > columns or plain(line) == short


def test_a_table_is_aligned() -> None:
    """By columns as they are seen; nothing hangs on at the end of a line."""
    rows = [[Span("日本"), Span("1"), Span("up")], [Span("b"), Span("12"), Span("")]]

    assert ["name   n  state", "日本   1  up", "b     12  "] == [
        plain(line) for line in table(["name", "n", "state"], rows, right={1})
    ]


def test_what_takes_long_is_said_and_wiped_away() -> None:
    """After the delay, with the time, and the line is empty at the end."""
    terminal = Terminal()
    with progress("asking tws", environ={}, stream=terminal, delay=0.0, clock=lambda: 7.0):
        assert terminal.wrote.wait(10)

    assert "asking tws … 0 s" in terminal.seen()
    assert terminal.seen().endswith(CLEAR)


def test_what_is_waited_for_may_change() -> None:
    """The text is asked for each time; what the encoding lacks is replaced."""
    terminal = Terminal(encoding="ascii")
    with progress(lambda: "asking ä", environ={}, stream=terminal, delay=0.0):
        assert terminal.wrote.wait(10)

    assert "asking ?" in terminal.seen()


@pytest.mark.parametrize(
    ("terminal", "environ", "delay"),
    [
        (Terminal(is_terminal=False), {}, 0.0),
        (Terminal(), {"TERM": "dumb"}, 0.0),
        (Terminal(), {}, 60.0),
    ],
)
def test_otherwise_nothing_is_said(terminal: Terminal, environ: Mapping[str, str], delay: float) -> None:
    """No terminal, one that cannot go back, or it was quick."""
    with progress("asking tws", environ=environ, stream=terminal, delay=delay):
        pass

    assert "" == terminal.seen()
