"""The benchmarks' arithmetic, that they measure what their rows say, and that README quotes what was measured."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.benchmarks.measures import MEASURES
from tests.benchmarks.report import Bar, Kept, Row, Table, glance, table
from tests.benchmarks.results import QUOTED, RESULTS, SAMPLES, TRIED, bench, quoted, tried, with_section
from tests.benchmarks.subjects import BARE, SUBJECTS, Subject
from tests.benchmarks.worker import check

ROOT = Path(__file__).parents[2]


def row(*ratios: float, bar: Bar | None = None, note: str = "") -> Row:
    """Return a row of as many rounds."""
    return Row(subject="asgi-resync: hit", where="1 KiB", values=ratios, ratios=ratios, bar=bar, note=note)


def of(*rows: Row) -> Table:
    """Return them as one measure's."""
    return Table(name="hit", what="L1 hit", unit="µs", by="× bare", digits=2, rows=rows)


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
    """One disturbed round changes neither the number nor the quartiles much."""
    text = table(of(row(4, 9, 5, 5, 5, bar=Bar(at_most=7))))

    assert "| 5.00 | 5.00 | 5.00 to 5.00 | ≤ 7: met |" in text


def test_a_missed_bar_is_said_everywhere() -> None:
    """In its table, at a glance, and where it is told what was tried."""
    found = of(row(8, 8, 8, bar=Bar(at_most=7)))
    section = bench(Kept({"date": "today"}, [found]), {"hit": "Everything."})

    assert "≤ 7: **below**" in table(found)
    assert "| `hit` | asgi-resync: hit | 1 KiB | ≤ 7 × bare | 8.00 (8.00 to 8.00) | **below** |" in glance([found])
    assert "`hit` – asgi-resync: hit, 1 KiB: 8.00, bar ≤ 7.\n\nEverything." in section


def test_nothing_is_told_of_rows_that_meet_their_bars() -> None:
    """What was tried once is no news of them."""
    assert "Everything." not in bench(Kept({}, [of(row(6, bar=Bar(at_most=7)))]), {"hit": "Everything."})


def test_a_subject_that_failed_keeps_its_row() -> None:
    """Its reason stands where its numbers would, and no verdict does."""
    failed = of(row(bar=Bar(at_most=7), note="ImportError: no"))

    assert "ImportError: no" in table(failed)
    assert "not measured" in glance([failed])


def test_every_sample_is_kept() -> None:
    """What was measured can be judged again later."""
    found = Kept.from_json(Kept({"Python": "3.11"}, [of(row(4, 9, 5, bar=Bar(at_most=7)))]).to_json())

    assert {"Python": "3.11"} == found.about
    assert [4, 9, 5] == found.tables[0].rows[0].ratios
    assert Bar(at_most=7) == found.tables[0].rows[0].bar


def test_a_row_that_was_measured_again_says_so() -> None:
    """It takes the place of the one before, and no other changes."""
    kept = Kept({}, [of(row(8)), replace(of(row(3)), name="miss")])

    section = bench(kept.renewed([of(row(6))], "today"), {})

    assert "### `hit`: L1 hit (measured again today)" in section
    assert "### `miss`: L1 hit\n" in section
    assert "| 6.00 |" in section
    assert "| 8.00 |" not in section


def test_a_section_is_replaced_and_no_other() -> None:
    """Each session writes its own."""
    text = with_section(with_section("# Head\n", "bench", "one"), "chaos", "two")

    changed = with_section(text, "bench", "three")

    assert "# Head\n\n<!-- bench -->\nthree\n<!-- /bench -->\n\n<!-- chaos -->\ntwo\n<!-- /chaos -->\n" == changed


def test_what_was_tried_and_what_is_quoted_is_about_measures() -> None:
    """A note on a row that was renamed would be told never."""
    names = {measure.name for measure in MEASURES}

    assert set(tried(TRIED.read_text(encoding="utf-8"))) <= names
    assert set(QUOTED) <= names


def test_all_that_was_measured_is_in_the_results() -> None:
    """Each measure has its table, what is below its bar says what was tried, and all is made of the samples."""
    results = RESULTS.read_text(encoding="utf-8")
    kept = Kept.from_json(SAMPLES.read_bytes())

    assert bench(kept, tried(TRIED.read_text(encoding="utf-8"))) in results
    assert [measure.name for measure in MEASURES] == re.findall(r"^### `(\S+)`:", results, re.MULTILINE)
    assert "Nothing yet." not in results


def test_readme_quotes_what_was_measured() -> None:
    """The table is the one made from RESULTS.md."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- measured -->\n(.*?)\n<!-- /measured -->", readme, re.DOTALL)

    assert found is not None
    assert quoted(RESULTS.read_text(encoding="utf-8")) == found[1]


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_speeds_are_quoted_nowhere_else(name: str) -> None:
    """What no run made would be true for ever."""
    text = re.sub(
        r"<!-- measured -->.*?<!-- /measured -->", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL
    )

    assert [] == re.findall(r"\d ?× |× ?\d|\d ?µs|\d times (?:as|fast|slow)|requests/s", text)
