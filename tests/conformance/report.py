"""What a run amounts to: totals by group, and what keeps it from being accepted. It plays nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.conformance.cases import GROUPS
from tests.conformance.judge import Verdict
from tests.conformance.model import CHECK, OPTIMAL, REQUIRED, Kind
from tests.conformance.unmet import UNMET


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many cases of a kind went as written; `idle` are required ones a subject had no occasion to break."""

    passed: int
    idle: int
    total: int

    def __str__(self) -> str:
        return f"{self.passed}/{self.total}" + (f" ({self.idle} idle)" if self.idle else "")


def count(verdicts: Iterable[Verdict], kind: Kind) -> Count:
    """Count the *verdicts* on cases of *kind*."""
    chosen = [verdict for verdict in verdicts if verdict.case.kind is kind]
    passed = sum(verdict.passed for verdict in chosen)
    return Count(passed=passed, idle=sum(verdict.is_idle for verdict in chosen), total=len(chosen))


def table(verdicts: Iterable[Verdict]) -> str:
    """Return the totals of each group and of all, as text."""
    by_id: Mapping[str, Verdict] = {verdict.case.id: verdict for verdict in verdicts}
    rows = [("group", "required", "optimal", "as chosen")]
    for name, cases in GROUPS.items():
        rows.append((name, *_counts([by_id[case.id] for case in cases if case.id in by_id])))
    rows.append(("all", *_counts(by_id.values())))
    return "\n".join(f"{name:<22} {must:>16} {may:>10} {chosen:>10}" for name, must, may, chosen in rows)


def _counts(verdicts: Iterable[Verdict]) -> tuple[str, str, str]:
    found = list(verdicts)
    must, may, chosen = (str(count(found, kind)) for kind in (REQUIRED, OPTIMAL, CHECK))
    return must, may, chosen


def objections(verdicts: Iterable[Verdict], unmet: Mapping[str, str] = UNMET) -> list[str]:
    """Return why a run of ours cannot be accepted: failed required cases, and what differs from *unmet*."""
    found: list[str] = []
    for verdict in verdicts:
        case = verdict.case
        what = f"{case.kind} {case.id} (RFC {case.section})"
        if not verdict.passed and case.id not in unmet:
            found.append(f"{what}: {'; '.join(verdict.problems)} [{verdict.observed}]")
        elif verdict.passed and case.id in unmet:
            found.append(f"{what} is met: take it out of unmet.py")
    return found
