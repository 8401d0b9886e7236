"""`python -m tests.differential` plays the cases through this library, nginx and Varnish and lists how they differ.

All stand before the same scripted origin, over sockets on 127.0.0.1. Ends with 1 if a difference is not in the table
of `differences.py`, or if this library fails a required case.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence

from tests.conformance import wire
from tests.conformance.cases import CASES
from tests.conformance.judge import Verdict
from tests.conformance.model import OPTIMAL, REQUIRED
from tests.conformance.report import count, objections
from tests.differential.differences import BY_CASE, Difference, Right
from tests.differential.subjects import Daemon, Nginx, Varnish

LIMIT = 90.0
"""Seconds for one subject."""

Results = Mapping[str, Mapping[str, Verdict]]
"""By name of subject, then by id of case."""


def main() -> int:
    cases = wire.playable(case for case in CASES if not case.is_ours)
    daemons: Sequence[Daemon] = [Nginx(), Varnish()]
    missing = [daemon.program for daemon in daemons if not daemon.is_installed()]
    if missing:
        print(f"not installed: {', '.join(missing)} (Debian: apt-get install nginx varnish)", file=sys.stderr)
        return 1
    results: dict[str, dict[str, Verdict]] = {}
    subjects: list[wire.Subject] = [wire.Uvicorn(), *daemons]
    for subject in subjects:
        verdicts = asyncio.run(asyncio.wait_for(wire.play_all(cases, subject), LIMIT))
        results[subject.name] = {verdict.case.id: verdict for verdict in verdicts}

    print_totals(results)
    undocumented = print_differences(results)
    found = objections(results[wire.Uvicorn.name].values())
    for objection in found:
        print(f"{wire.Uvicorn.name}: {objection}")
    return 1 if undocumented or found else 0


def print_totals(results: Results) -> None:
    """Print, for each subject, how many required cases fail and how many optimal ones are reached."""
    for name, verdicts in results.items():
        required, optimal = count(verdicts.values(), REQUIRED), count(verdicts.values(), OPTIMAL)
        failed = required.total - required.passed - required.idle
        print(f"{name}: {failed} of {required.total} required cases fail, {optimal} optimal ones are reached")


def print_differences(results: Results) -> int:
    """Print how the others differ from this library; returns how many differences are not in the table."""
    ours = results[wire.Uvicorn.name]
    seen: list[tuple[str, str]] = []
    undocumented = 0
    for subject in results:
        for name, theirs in results[subject].items():
            if theirs.passed == ours[name].passed:
                continue
            seen.append((name, subject))
            if (name, subject) not in BY_CASE:
                undocumented += 1
                print(f"NOT IN THE TABLE: {theirs.case.kind} {name} (RFC {theirs.case.section})")
                for who, verdict in ((wire.Uvicorn.name, ours[name]), (subject, theirs)):
                    print(f"    {who}: {verdict.observed}; {'; '.join(verdict.problems) or 'as written'}")
    print_documented([BY_CASE[pair] for pair in seen if pair in BY_CASE])
    for name, subject in sorted(set(BY_CASE) - set(seen)):
        print(f"in the table, not seen in this run: {name}, {subject}")
    print(f"{len(seen)} differences, {undocumented} of them not in the table")
    return undocumented


def print_documented(differences: Sequence[Difference]) -> None:
    """Print *differences* with the paragraph that decides each, those of one reason together."""
    reasons: dict[tuple[str, Right, str], list[str]] = {}
    for difference in differences:
        reason = (difference.subject, difference.right, difference.why)
        reasons.setdefault(reason, []).append(f"{difference.case} (RFC {difference.section})")
    for (subject, right, why), cases in reasons.items():
        print(f"{subject}: {why} Right: {right}.")
        for case in cases:
            print(f"    {case}")


if __name__ == "__main__":
    sys.exit(main())
