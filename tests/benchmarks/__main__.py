"""Measures the cache beside the bare app and beside its peers, in one run: the numbers of README and of the design.

    python -m tests.benchmarks [--quick] [--json FILE] [--only WORD] [--no-peers] [--where in-process|http|both]

What counts are the ratios to the bare app, which are comparable between machines; the rest is not. It prints one
table. It says whether the design's bars are met, and with --check its exit status does too.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

from . import load, nginx
from .peers import InstallFailed, prepare, version_of
from .report import Row, as_json, table, verdicts
from .run import KIB, ROOT, Plan, here, in_process, over_http, pins
from .subjects import BARE, REQUIREMENTS, SUBJECTS

QUICK = Plan(sizes=(KIB, 64 * KIB), rounds=3, call_seconds=0.05, load_seconds=1)
FULL = Plan(sizes=(KIB, 64 * KIB), rounds=9, call_seconds=0.2, load_seconds=2)


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few short rounds: to see that it works, not to compare")
    parser.add_argument("--rounds", type=int, help="how often each subject has its turn")
    parser.add_argument("--json", type=Path, help="also write every sample to this file")
    parser.add_argument("--only", default="", help="only subjects whose name has this word, and the bare app")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out; installs nothing")
    parser.add_argument("--peers", type=Path, default=ROOT / ".nox" / "peers", help="where peers are installed")
    parser.add_argument("--where", choices=["in-process", "http", "both"], default="both")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar of the design is missed")
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    if chosen.rounds:
        plan = Plan(
            sizes=plan.sizes, rounds=chosen.rounds, call_seconds=plan.call_seconds, load_seconds=plan.load_seconds
        )
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    subjects = [subject for subject in SUBJECTS if subject is BARE or chosen.only in subject.name]
    pythons: dict[str | None, Path] = {None: here()}
    versions: dict[str, str] = {}
    for peer in () if chosen.no_peers else REQUIREMENTS:
        if not any(subject.peer == peer for subject in subjects):
            continue
        tell(f"preparing {peer}")
        try:
            pythons[peer] = prepare(peer, chosen.peers)
            versions[peer] = version_of(peer, pythons[peer])
        except InstallFailed as error:
            tell(str(error))
    subjects = [subject for subject in subjects if subject.peer in pythons]

    rows: list[Row] = []
    if chosen.where != "http":
        rows += in_process(subjects, plan, pythons, tell)
    if chosen.where != "in-process":
        rows += over_http([subject for subject in subjects if subject.over_http], plan, pythons, tell)

    about = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": f"{load.generator()}, {load.CONNECTIONS} connections, "
        + ("server and client on a core each" if pins()[0] else "cores shared"),
        "rounds": str(plan.rounds),
        "server": ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "uvloop", "httptools")),
        "asgi-resync": version("asgi-resync"),
        "nginx": "present" if nginx.found() else "absent",
    } | versions
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    print()
    print(table(rows))
    if chosen.json:
        chosen.json.write_text(as_json(rows, about), encoding="utf-8")
    missed = [bar for _, bar, number in verdicts(rows) if not bar.is_met(number)]
    return 1 if chosen.check and missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
