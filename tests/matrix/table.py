"""The tables of a run of the matrix, as Markdown. It measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.matrix.cell import Broken
from tests.matrix.releases import OLDEST, SERVERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What came of a cell: the promises that it broke, or why there is no such cell."""

    framework: str
    release: str
    python: str
    server: str
    version: str | None = None
    broken: Sequence[Broken] = ()
    absent: str | None = None

    @property
    def standing(self) -> str:
        """`passed`, `failed` or `absent`."""
        if self.absent is not None:
            return "absent"
        return "failed" if self.broken else "passed"


@dataclass(slots=True, kw_only=True)
class Report:
    """The cells of a run, the facts about it that stand above them, and why it leaves out Pythons."""

    facts: Mapping[str, str]
    cells: list[Cell] = field(default_factory=list)
    missing: Mapping[str, str] = field(default_factory=dict)

    def count(self, standing: str) -> int:
        """Return how many cells are *standing*."""
        return sum(cell.standing == standing for cell in self.cells)

    def summary(self) -> str:
        """Return the numbers in one line."""
        counts = [f"{self.count(standing)} {standing}" for standing in ("passed", "failed", "absent")]
        return f"{len(self.cells)} cells: {', '.join(counts)}"

    def markdown(self) -> str:
        """Return all of it."""
        parts = ["# The matrix", _WHAT, "\n".join(f"- {name}: {value}" for name, value in self.facts.items())]
        parts += [f"**{self.summary()}.**", self._cells(), self._absent(), self._failed(), _oldest()]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _cells(self) -> str:
        known = [(framework, release) for framework in OLDEST for release in ("oldest", "newest")]
        rows = {row: list[Cell]() for row in known}
        for cell in sorted(self.cells, key=lambda cell: _in_order(cell.python)):
            rows[cell.framework, cell.release].append(cell)
        lines = [_row("Framework", "Release", *SERVERS), _row(*["---"] * (2 + len(SERVERS)))]
        for (framework, release), cells in rows.items():
            if not cells:
                continue
            versions = ", ".join(sorted({cell.version for cell in cells if cell.version is not None}, key=_in_order))
            told = f"{release} ({versions})" if versions else "–"
            lines.append(_row(framework, told, *(_marks(cells, server) for server in SERVERS)))
        return "\n".join(lines)

    def _absent(self) -> str:
        reasons = dict.fromkeys(
            f"- {cell.framework}, {cell.release}, Python {cell.python}: {cell.absent}"
            for cell in self.cells
            if cell.absent is not None
        )
        missing = [f"- all, Python {python}: {why}" for python, why in self.missing.items()]
        return "\n".join(["Cells that do not exist:\n", *reasons, *missing]) if reasons or missing else ""

    def _failed(self) -> str:
        lines = [
            f"- {cell.framework} {cell.version or ''}, Python {cell.python}, {cell.server}: {broken.promise}"
            for cell in self.cells
            for broken in cell.broken
        ]
        return "Promises that were broken:\n\n" + "\n".join(lines) if lines else ""


_WHAT = """`nox -s matrix` writes this. In each cell the small API of `tests/frameworks`, wrapped by the built wheel, is
served by that server on that Python, and held to each promise of `tests/frameworks/promises.py` over sockets: some
handlers are cached by a rule, some by `@cache_for`. The servers are the newest. ✓ kept, ✗ broken, – there is none."""


def _marks(cells: Iterable[Cell], server: str) -> str:
    signs = {"passed": "✓", "failed": "✗", "absent": "–"}
    return " ".join(f"{cell.python} {signs[cell.standing]}" for cell in cells if cell.server == server)


def _oldest() -> str:
    lines = [_row("Framework", "Oldest supported", "Why none older"), _row("---", "---", "---")]
    known = {name: oldest for name, oldest in OLDEST.items() if oldest is not None}
    return "\n".join([*lines, *(_row(name, oldest.version, oldest.why) for name, oldest in known.items())])


def _in_order(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
