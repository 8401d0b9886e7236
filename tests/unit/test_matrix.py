"""What the matrix calls the oldest supported releases is what the project asks for, and its report adds up."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.frameworks.traits import TRAITS
from tests.matrix.cell import Broken
from tests.matrix.releases import OLDEST, SERVERS
from tests.matrix.table import Cell, Report
from tests.transparency.servers import COMMANDS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def parts(version: str) -> list[int]:
    """Return the three numbers of *version*, those that it leaves out as 0."""
    return [*map(int, version.split(".")), 0, 0][:3]


def test_the_oldest_releases_are_the_lower_bounds_of_the_project() -> None:
    """Of the test extra, and Starlette's of the dependencies."""
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    bounds = {found[1]: found[2] for item in wanted if (found := re.match(r"([\w-]+)>=([\d.]+)", item))}
    for oldest in OLDEST.values():
        if oldest is not None:
            assert parts(oldest.version) == parts(bounds[oldest.package])


def test_readme_says_which_releases_are_supported() -> None:
    """In the words of the matrix."""
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").lower().split())
    for oldest in OLDEST.values():
        if oldest is not None:
            assert f"{oldest.package} from {oldest.version.removesuffix('.0')}" in text


def test_the_matrix_has_all_frameworks_and_servers_that_there_are() -> None:
    """Each framework that is tested, and servers that can be started."""
    assert set(TRAITS) == set(OLDEST)
    assert {server.removesuffix("-h2") for server in SERVERS} <= set(COMMANDS)


def test_a_report_counts_its_cells_and_names_what_failed_and_what_there_is_not() -> None:
    """One of each kind."""
    broken = [Broken(promise="a websocket works", report="Traceback")]
    report = Report(
        facts={"Date": "2026-01-01"},
        cells=[
            Cell(framework="quart", release="newest", python="3.12", server="granian", version="0.22.0"),
            Cell(framework="quart", release="newest", python="3.13", server="granian", version="0.23.1", broken=broken),
            Cell(framework="django", release="oldest", python="3.13", server="granian", absent="no such release"),
        ],
        missing={"3.14": "there was none on the machine"},
    )
    text = report.markdown()

    assert "3 cells: 1 passed, 1 failed, 1 absent" == report.summary()
    assert "| quart | newest (0.22.0, 0.23.1) |  |  | 3.12 ✓ 3.13 ✗ |  |  |" in text
    told = "- django, oldest, Python 3.13: no such release\n- all, Python 3.14: there was none on the machine\n"
    assert f"Cells that do not exist:\n\n{told}" in text
    assert "- quart 0.23.1, Python 3.13, granian: a websocket works" in text
