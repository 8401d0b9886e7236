"""How an app is, in lines: what stands in them, in what order, and that nothing in it acts on a terminal."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.states import breaker, health, outage, recording, resource, state, told

from asgi_resync.cli import report
from asgi_resync.cli.look import plain
from asgi_resync.cli.report import Part, in_a_line, lasting, number, share, sparkline
from asgi_resync.cli.state import state_of
from asgi_resync.telemetry.recorder import Latency
from asgi_resync.telemetry.units import size, took


def stamp(at: float) -> str:
    return f"@{at:.0f}"


def texts(part: Part) -> list[str]:
    return [plain(line).rstrip() for line in part]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (4.2, "4 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (432000, "5 d"), (math.inf, "–")],
)
def test_a_time_is_told_roughly(seconds: float, text: str) -> None:
    """In the largest unit of which there is one."""
    assert text == lasting(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0005, "0.5 ms"), (0.025, "25 ms"), (1.0, "1 s"), (2.5, "2.5 s"), (math.inf, "–")],
)
def test_a_latency_is_told_in_three_digits(seconds: float | None, text: str) -> None:
    """Milliseconds below a second."""
    assert text == took(seconds)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (12 * 2**20, "12 MiB"), (2**50, "1024 TiB")]
)
def test_a_size_is_told_in_binary_units(count: int, text: str) -> None:
    """In two or three digits."""
    assert text == size(count)


@pytest.mark.parametrize(
    ("ratio", "text"), [(None, "–"), (0.0, "0.0 %"), (0.931, "93.1 %"), (0.99999, "99.9 %"), (1.0, "100 %")]
)
def test_all_is_told_only_where_it_is_all(ratio: float | None, text: str) -> None:
    """One miss in a million shows."""
    assert text == share(ratio)


def test_numbers_are_grouped() -> None:
    """By three digits."""
    assert ["7", "1 204", "12 345 678"] == [number(7), number(1204), number(12345678)]


@given(st.lists(st.none() | st.floats(min_value=0, max_value=1)), st.integers(min_value=-1, max_value=70))
def test_a_sparkline_has_a_bar_for_each_ratio_that_fits(ratios: list[float | None], columns: int) -> None:
    """The latest are shown; where there was nothing, a space."""
    line = sparkline(ratios, columns)

    assert min(len(ratios), max(columns, 0)) == len(line)
    assert all((bar == " ") == (one is None) for bar, one in zip(reversed(line), reversed(ratios), strict=False))


def test_a_sparkline_goes_from_nothing_to_all() -> None:
    """On the scale of 0 to 1, whatever the others are."""
    assert "▁▅█ " == sparkline([0.0, 0.5, 1.0, None], 10)


def test_an_outage_as_it_is_reported() -> None:
    """What is out comes first, with its cause, what it touches, and what changed."""
    lines = texts(report.report(outage(), stamp, 100))

    assert [
        "degraded  asgi-resync 0.1.0, process 4242 on web-1, for 3 h",
        "",
        f"hit ratio  96.0 %  {' ' * 57}▁▅█",
        "in 5 min   l1 90  l2 3  stale 2  collapsed 1  misses 4  rescued 0",
        "",
        "l1  1 204 of 5 000 entries, 12 MiB of 64 MiB",
        "l2  no Redis",
        "redis  answers     p50    p99",
        "get      1 000  0.5 ms  25 ms",
        "",
        "upstream  breaker  calls  failed  probed in  answers     p50     p99",
        "tws       open        12       5      4.2 s       33  100 ms  > 10 s  failures",
        "crm       closed   1 200       0          –        –       –       –",
        "redis     closed       0       0          –        –       –       –",
        "",
        "resource  state   for  last took",
        "redis     down   12 s          –  ConnectionError, tried 4 times",
        "database  up      2 h     1.2 ms",
        "",
        "tws is out: routes /plan/{name}, /jobs; callables jobs",
        "",
        "@999997  tws is not called any more: its breaker is open (failures).",
        "@999940  Tag plan\\x1b[2J was purged.",
    ] == lines


def test_an_app_of_which_little_is_known() -> None:
    """No recorder, no upstreams, no resources."""
    lines = texts(report.report(state(), stamp, 80))

    assert [
        "up  asgi-resync 0.1.0, process 4242 on web-1, for 3 h",
        "",
        "No telemetry.Recorder listens, so nothing is known of the last minutes.",
        "",
        "l1  1 204 of 5 000 entries, 12 MiB of 64 MiB",
        "l2  no Redis",
    ] == lines


def test_what_the_app_cannot_do_without_is_said() -> None:
    """And that the app is not ready."""
    found = health("down", resources={"database": resource("waiting", critical=True, since=None)})

    assert texts(report.head(state(found)))[0].endswith("for 3 h, not ready")
    assert "database  waiting    –     1.2 ms  the app is not ready without it" == texts(report.resources(found))[1]


def test_only_so_many_are_shown_as_there_is_room_for() -> None:
    """Those that matter, and how many more there are."""
    found = health(breakers={f"u{place}": breaker("open" if place == 7 else "closed") for place in range(9)})
    lines = texts(report.breakers(found, None, 2))

    assert ["upstream", "u7", "u0", "and"] == [line.split()[0] for line in lines]
    assert "and 7 more" == lines[-1]


def test_one_line_says_what_is_out() -> None:
    """For logs."""
    out = "l1 1 204 entries, 12 MiB  process 4242  redis down and breaker tws open"
    assert f"@1000000  degraded  hit ratio 96.0 %  {out}" == plain(in_a_line(outage(), stamp))
    assert plain(in_a_line(state(of_late=recording()), stamp)).endswith("process 4242  all well")


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_an_app_says_nothing_acts_on_the_terminal(name: str, why: str) -> None:
    """Names of upstreams, causes, texts: all are printable in the end."""
    found = health(
        "degraded",
        resources={name: resource("down", cause=why)},
        breakers={name: breaker("open")},
        impact={name: {"route": (why,)}},
    )
    of_late = recording(latency={name: Latency(count=1, p50=None, p99=None)})
    shown = state(found, of_late)

    assert all(plain(line).isprintable() for line in report.report(shown, stamp, 80))
    assert plain(in_a_line(shown, stamp)).isprintable()


def test_what_a_console_says_is_read_back() -> None:
    """Names that were added since are passed over; what is no state is a ValueError."""
    assert outage() == state_of(told(outage()))
    for raw in (b"", b"{}", b"[1", b'{"version": 1}', b"[" * 100_000, b"\xff"):
        with pytest.raises(ValueError, match=r"\A"):
            state_of(raw)
