"""RESULTS.md: what was measured last. Each of `bench`, `outage` and `chaos` writes its own section and no other.

    python -m tests.benchmarks.results chaos FILE

writes the section `chaos` from the lines of JSON that the tests of that name left in FILE. Without arguments it writes
the section `bench` anew from RESULTS.json, which has every sample, and tried.md; and README, which quotes RESULTS.md.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .machine import about
from .report import Kept, glance, markdown, table

RESULTS = Path(__file__).with_name("RESULTS.md")
SAMPLES = Path(__file__).with_name("RESULTS.json")
README = Path(__file__).parents[2] / "README.md"
TRIED = Path(__file__).with_name("tried.md")
HEAD = """# What was measured

Written by `nox -s bench`, `nox -s outage` and `nox -s chaos`, each its own section; nothing here is written by hand but
what was tried. What counts are the ratios: they are of rounds taken in turns on one machine, given as the median and,
behind it, between which quartiles the rounds lie. Absolute numbers are of that machine alone.
"""
QUOTED = {
    "hit": "An answer from memory, in process",
    "http": "The same over uvicorn, requests a second",
    "nginx": "The same, beside nginx with `proxy_cache`, one core each",
    "miss": "What a miss that is stored adds to the app",
    "pass": "What a request that is not cacheable costs more",
    "l2-one": "An answer from Redis, one at a time",
    "l2-many": "Fifty answers from Redis at once, each",
    "stampede": "Calls of the app in a stampede of 200",
    "breaker": "A call that the breaker admits",
    "retrying": "A call by a retrying client, first try succeeds",
    "flood": "Memory under a flood of a million URLs",
    "import": "`import asgi_resync`",
}
"""What README says of each row of the design, by the row's name."""


def with_section(text: str, name: str, section: str) -> str:
    """Return *text* with *section* in place of the one of that *name*, or at the end."""
    marked = f"<!-- {name} -->\n{section.strip()}\n<!-- /{name} -->"
    pattern = re.compile(rf"<!-- {name} -->\n(?:.*?\n)?<!-- /{name} -->", re.DOTALL)
    if pattern.search(text):
        return pattern.sub(lambda _: marked, text)
    return f"{text.rstrip()}\n\n{marked}\n"


def write(name: str, section: str, file: Path = RESULTS) -> None:
    """Put *section* into *file*, in place of the one of that *name*."""
    text = file.read_text(encoding="utf-8") if file.is_file() else HEAD
    file.write_text(with_section(text, name, section), encoding="utf-8")


def tried(text: str) -> dict[str, str]:
    """Return what *text* says was tried, by the name of the row, which is its heading."""
    parts = re.split(r"^## (\S+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def bench(kept: Kept, notes: Mapping[str, str]) -> str:
    """Return the section of the benchmarks: at a glance, what is below its bar and *notes* on it, then every table."""
    tables = kept.tables
    parts = ["## Benchmarks", markdown(["", ""], list(kept.about.items())), "### At a glance", glance(tables)]
    below = [found for found in tables if found.is_below]
    parts += ["### Below the bar, and what was tried"]
    if not below:
        parts.append("Nothing.")
    for found in below:
        rows = "; ".join(
            f"{row.subject}{', ' * bool(row.where)}{row.where}: {row.number:.{found.digits}f}, bar {row.bar}"
            for row in found.rows
            if row.is_below
        )
        parts += [f"`{found.name}` – {rows}.", notes.get(found.name, "Nothing yet.")]
    for found in tables:
        again = f" (measured again {found.again})" if found.again else ""
        parts += [f"### `{found.name}`: {found.what}{again}", table(found)]
    return "\n\n".join(parts)


GLANCE = re.compile(r"^\| `(\S+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (?:met|\*\*below\*\*) \|$", re.MULTILINE)


def quoted(results: str) -> str:
    """Return the table that README quotes from the text of RESULTS.md, each row with the command that measures it."""
    found: dict[str, list[tuple[str, str, str, str]]] = {}
    for name, subject, where, bar, measured in GLANCE.findall(results):
        if name in QUOTED:
            found.setdefault(name, []).append((subject, where, bar, measured.partition(" (")[0]))
    lines = []
    for name, rows in found.items():
        several = len({subject for subject, *_ in rows}) > 1
        figures = [
            f"{', '.join(part for part in (subject.removeprefix('asgi-resync')[2:] * several, where) if part)}: {value}"
            for subject, where, _, value in rows
        ]
        bars = "; ".join(dict.fromkeys(bar for _, _, bar, _ in rows))
        lines.append([QUOTED[name], bars, "; ".join(figures).removeprefix(": "), f"`nox -s bench -- --only {name}`"])
    return markdown(["What", "Bar", "Measured", "Command"], lines)


def chaos(lines: Sequence[str]) -> str:
    """Return the section of the fault tests from their *lines* of JSON."""
    rows = [json.loads(line) for line in lines if line]
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "fault": lambda row: row["fault"],
        "it lasted, s": lambda row: f"{row['seconds']:.1f}",
        "requests": lambda row: f"{row['requests']}",
        "failed": lambda row: f"{row['failed']}",
        "purged content served": lambda row: f"{row['stale']}",
        "slowest, ms": lambda row: f"{row['slowest'] * 1000:.0f}",
        "slowest before the fault, ms": lambda row: f"{row['calm'] * 1000:.0f}",
        "purges, of these acknowledged as delivered": lambda row: f"{row['purges']}, {row['delivered']}",
        "answered from the cache afterwards": lambda row: f"{row['hits']:.1%}",
    }
    found = markdown(list(columns), [[cell(row) for cell in columns.values()] for row in rows])
    facts = about("nox -s chaos")
    said = (
        "Two workers under load, on the processors that serve the load and Redis too. The deadline of Redis is "
        f"{rows[0]['deadline']}; requests are those of the fault and of a second around it. A purge that is not "
        "delivered at once is acknowledged as queued, and delivered when Redis is back."
    )
    return "\n\n".join(["## Faults of Redis", markdown(["", ""], list(facts.items())), said, found])


def keep(kept: Kept) -> None:
    """Write *kept* to RESULTS.json, and what is made of it to RESULTS.md and README."""
    SAMPLES.write_bytes(kept.to_json())
    write("bench", bench(kept, tried(TRIED.read_text(encoding="utf-8"))))
    quote()


def quote() -> None:
    """Have README quote what stands in RESULTS.md."""
    table = quoted(RESULTS.read_text(encoding="utf-8"))
    README.write_text(with_section(README.read_text(encoding="utf-8"), "measured", table), encoding="utf-8")


if __name__ == "__main__" and len(sys.argv) == 1:
    keep(Kept.from_json(SAMPLES.read_bytes()))
elif __name__ == "__main__":
    write("chaos", chaos(Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()))
