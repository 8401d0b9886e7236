"""The benchmarks' arithmetic, and that what they measure is what their rows say."""

from __future__ import annotations

import json

import pytest
from tests.benchmarks.report import BARS, NGINX, Bar, Place, Row, as_json, table, verdicts
from tests.benchmarks.subjects import BARE, SUBJECTS, Subject
from tests.benchmarks.worker import check


def row(subject: str = "asgi-resync: hit", place: Place = "in process", ratios: tuple[float, ...] = (4, 9, 5)) -> Row:
    """Return a row of three rounds."""
    return Row(place=place, size=1024, subject=subject, values=ratios, ratios=ratios)


@pytest.mark.parametrize("subject", [one for one in SUBJECTS if one.peer is None], ids=lambda one: one.name)
async def test_our_subjects_do_what_their_rows_say(subject: Subject) -> None:
    """A hit calls the app once, a miss and a pass-through each time, and all send its bytes."""
    await check(subject, 1024)


async def test_a_subject_that_does_otherwise_is_refused() -> None:
    """A cache that does not store is not measured as one that hits."""
    never_stores = Subject(name="never stores", kind="hit", path="/hit", make=BARE.make)

    with pytest.raises(AssertionError, match="called the app 5 times, not 1"):
        await check(never_stores, 1024)


def test_a_row_is_the_median_of_its_rounds() -> None:
    """One disturbed round changes the spread and not the number."""
    text = table([row()])

    assert "| 5.00 " in text
    assert "4.00–9.00" in text
    assert "ratio ≤ 7: 5.00, met" in text


def test_a_missed_bar_is_said() -> None:
    """A number on the wrong side of its bar stands out."""
    assert "ratio ≤ 7: 8.00, MISSED" in table([row(ratios=(8, 8, 8))])


def test_what_a_miss_adds_leaves_out_the_app() -> None:
    """The bar for what the library adds is held against the ratio less the app's own cost."""
    assert [number for _, _, number in verdicts([row("asgi-resync: miss and store", ratios=(9, 9, 9))])] == [8]


def test_nginx_is_compared_with_where_it_was_measured() -> None:
    """The bar against nginx is the ratio of the two ratios, and is left out where there is no nginx."""
    ours, theirs = row(place="over HTTP", ratios=(0.9,)), row(NGINX, "over HTTP", ratios=(1.2,))

    assert {bar.measure: number for _, bar, number in verdicts([ours, theirs])} == {"ratio": 0.9, "to nginx": 0.75}
    assert {bar.measure for _, bar, _ in verdicts([ours])} == {"ratio"}


def test_a_subject_that_failed_keeps_its_row() -> None:
    """Its reason stands where its numbers would."""
    failed = Row(place="in process", size=1024, subject="hishel: hit", values=(), ratios=(), note="ImportError: no")

    assert "ImportError: no" in table([failed])


def test_json_has_every_sample() -> None:
    """The file can be judged again later."""
    document = json.loads(as_json([row()], {"python": "3.11"}))

    assert document["rows"][0]["ratios"] == [4, 9, 5]
    assert document["bars"][0]["met"] is True


@pytest.mark.parametrize("bar", BARS, ids=str)
def test_every_bar_is_about_a_row(bar: Bar) -> None:
    """A bar whose subject was renamed would be met for ever."""
    assert bar.subject in {subject.name for subject in SUBJECTS}
