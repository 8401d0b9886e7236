"""Measures every row of the design's table of numbers, beside the bare app and the peers, in one run.

    python -m tests.benchmarks [--quick] [--only ROW … [--again]] [--no-peers]

A whole run writes its section of RESULTS.md, and RESULTS.json with every sample, beside this file. One that is quick,
or of some rows only, prints it; with --again these rows take the place of those that were measured before, and say so.
What counts are the ratios, which are comparable between machines; the rest is not. With --check its exit status tells
whether the design's bars are met.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import load, nginx
from .machine import about, nginx_version
from .machine import load as load_of_machine
from .measures import MEASURES
from .peers import InstallFailed, prepare, version_of
from .report import Kept
from .results import RESULTS, SAMPLES, TRIED, bench, keep, tried
from .run import KIB, ROOT, Bench, Plan, here, pins
from .subjects import REQUIREMENTS

QUICK = Plan(
    sizes=(KIB, 64 * KIB), sizes_over_http=(KIB,), rounds=3, call_seconds=0.05, load_seconds=1, work=0.05
)  # fmt: skip
FULL = Plan(
    sizes=(KIB, 64 * KIB, KIB**2), sizes_over_http=(KIB, 64 * KIB), rounds=11, call_seconds=0.2, load_seconds=1, work=1
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    names = [measure.name for measure in MEASURES]
    parser = argparse.ArgumentParser(
        prog="tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few short rounds: to see that it works, not to compare")
    parser.add_argument("--only", nargs="+", choices=names, metavar="ROW", help=f"only these rows: {', '.join(names)}")
    parser.add_argument("--again", action="store_true", help="with --only: renew these rows in RESULTS.md")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out; installs nothing")
    parser.add_argument("--peers", type=Path, default=ROOT / ".nox" / "peers", help="where peers are installed")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar of the design is missed")
    chosen = parser.parse_args(arguments)
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    pythons: dict[str | None, Path] = {None: here()}
    versions: list[str] = []
    for peer in () if chosen.no_peers else REQUIREMENTS:
        tell(f"preparing {peer}")
        try:
            pythons[peer] = prepare(peer, chosen.peers)
            versions.append(f"{peer} {version_of(peer, pythons[peer])}")
        except InstallFailed as error:
            tell(str(error))
            versions.append(f"{peer} (could not be installed)")

    before = load_of_machine()
    context = Bench(plan=QUICK if chosen.quick else FULL, pythons=pythons, tell=tell)
    tables = []
    for measure in MEASURES:
        if chosen.only and measure.name not in chosen.only:
            continue
        tell(f"{measure.name}: {measure.what}")
        tables.append(measure.table(context))
    facts = about(" ".join(["nox -s bench", *(["--", *arguments] if arguments else [])]))
    facts["servers"] += f", nginx {nginx_version(nginx.found())}"
    facts |= {
        "peers": ", ".join(versions) or "left out",
        "load": f"{load.generator()}, {load.CONNECTIONS} connections, "
        + ("server and client on a core each" if pins()[0] else "cores shared"),
        "rounds": str(context.plan.rounds),
        "load average": f"before {before}; after {load_of_machine()}",
        "took": f"{time.monotonic() - begun:.0f} s",
    }
    found = Kept(facts, tables)
    print(bench(found, tried(TRIED.read_text(encoding="utf-8"))))
    if not chosen.quick and not chosen.no_peers and (chosen.again or not chosen.only):
        if chosen.only:
            moment = f"{facts['date']}, load average {facts['load average']}"
            found = Kept.from_json(SAMPLES.read_bytes()).renewed(tables, moment)
        keep(found)
        tell(f"written to {RESULTS.name}, and what README quotes of it")
    return 1 if chosen.check and any(one.is_below for one in tables) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
