"""One picture for a terminal: it fits, whatever the size, and what matters most is on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.states import breaker, health, outage, recording, resource, state

from asgi_resync.cli.frame import foot, frame
from asgi_resync.cli.look import cells, plain
from asgi_resync.cli.state import State
from asgi_resync.cli.top import is_end
from asgi_resync.telemetry.recorder import Change


def stamp(at: float) -> str:
    return f"@{at:.0f}"


def picture(shown: State, columns: int, rows: int, last: str = "q ends") -> list[str]:
    lines = frame(shown, columns=columns, rows=rows, stamp=stamp, foot=foot(last, "now", None) if last else ())
    return [plain(line).rstrip() for line in lines]


def crowd() -> State:
    """Fifty upstreams, of which one is out, twenty resources, and a hundred changes."""
    return state(
        health(
            breakers={f"u{place}": breaker("open" if place == 33 else "closed") for place in range(50)},
            resources={f"r{place}": resource("down" if place == 7 else "up") for place in range(20)},
        ),
        recording(changes=[Change(at=float(place), level="info", text=f"change {place}") for place in range(100)]),
    )


@given(
    st.sampled_from([state(), outage(), crowd()]),
    st.integers(min_value=0, max_value=150),
    st.integers(min_value=0, max_value=120),
)
def test_it_fits(shown: State, columns: int, rows: int) -> None:
    """No line is wider, and there are no more of them; the foot is in the last row."""
    lines = picture(shown, columns, rows)

    assert all(cells(line) <= columns for line in lines)
    assert rows == len(lines)


def test_an_outage_on_a_usual_terminal() -> None:
    """What is out stands above what is well; changes take what is left."""
    assert [
        "degraded  asgi-resync 0.1.0, process 4242 on web-1, for 3 h",
        "",
        f"hit ratio  96.0 %  {' ' * 57}▁▅█",
        "in 5 min   l1 90  l2 3  stale 2  collapsed 1  misses 4  rescued 0",
        "",
        "tws is out: routes /plan/{name}, /jobs; callables jobs",
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
        "l1  1 204 of 5 000 entries, 12 MiB of 64 MiB",
        "l2  no Redis",
        "redis  answers     p50    p99",
        "get      1 000  0.5 ms  25 ms",
        "",
        "@999997  tws is not called any more: its breaker is open (failures).",
        "@999940  Tag plan\\x1b[2J was purged.",
        "",
        "",
        "q ends  now  http://h",
    ] == picture(outage(), 80, 26, "http://h")


def test_a_narrow_terminal_shows_what_fits() -> None:
    """The latest of the hit ratio, and the beginning of the rest."""
    lines = picture(outage(), 24, 26)

    assert "degraded  asgi-resync 0…" == lines[0]
    assert "hit ratio  96.0 %    ▁▅█" == lines[2]
    assert "tws       open        1…" == lines[8]


def test_where_there_is_little_room_what_is_out_stays() -> None:
    """Those that are well give way first."""
    lines = picture(crowd(), 80, 24)

    assert "u33" == lines[6].split()[0]
    assert any(line.startswith("r7 ") for line in lines)
    assert "and 48 more" in lines
    assert 3 <= sum("change" in line for line in lines)


def test_with_all_the_room_there_is_all_is_shown() -> None:
    """As `--once` does."""
    lines = picture(crowd(), 80, 10_000, "")

    assert sum(line.startswith("u") for line in lines) == 52  # with both heads
    assert "change 99" in lines[-1]


@pytest.mark.parametrize(
    ("trouble", "text"),
    [(None, "q ends  now  http://h"), ("refuses\x1b", "q ends  as of now, trying again: refuses\\x1b")],
)
def test_the_foot_says_how_old_it_is(trouble: str | None, text: str) -> None:
    """And why there is nothing newer."""
    assert text == plain(foot("http://h", "now", trouble))


@pytest.mark.parametrize(
    ("typed", "ends"),
    [
        (b"q", True),
        (b"Q", True),
        (b"\x04", True),
        (b"xxq", True),
        (b"x", False),
        (b"\r", False),
        (b"\x1b", False),
        (b"\x1b[A", False),
        (b"\x1b[Aq", True),
        (b"\x1bq", False),
        (b"\x1bOQ", False),
        (b"\x1b[1;5Q", False),
    ],
)
def test_q_ends_it_and_no_other_key(typed: bytes, ends: bool) -> None:
    """Not Alt-q either, nor F2, which sends a Q; several may come at once."""
    assert ends == is_end(typed)
