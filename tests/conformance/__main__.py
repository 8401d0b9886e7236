"""`python -m tests.conformance` plays every case and prints the totals; `--wire` does so over sockets."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.conformance import inprocess, wire
from tests.conformance.cases import CASES
from tests.conformance.report import objections, table
from tests.conformance.unmet import UNMET

LIMIT = 240.0
"""Seconds for everything."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--wire", action="store_true", help="over sockets on 127.0.0.1, in real time (about 30 s)")
    parser.add_argument("--case", action="append", default=[], metavar="ID", help="play only this case; repeatable")
    arguments = parser.parse_args()
    cases = [case for case in CASES if not arguments.case or case.id in arguments.case]
    play = wire.play_all(wire.playable(cases), wire.Uvicorn()) if arguments.wire else inprocess.play_all(cases)
    verdicts = asyncio.run(asyncio.wait_for(play, LIMIT))
    print(table(verdicts))
    for verdict in verdicts:
        if verdict.case.id in UNMET and not verdict.passed:
            print(f"unmet: {verdict.case.id}: {UNMET[verdict.case.id]}")
    found = objections(verdicts)
    for objection in found:
        print(objection)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
