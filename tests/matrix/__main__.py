"""Runs the matrix, prints each cell as it ends, and writes the tables: `nox -s matrix`, or `python -m tests.matrix`.

    python -m tests.matrix --wheel dist/asgi_resync-0.1.0-py3-none-any.whl --python 3.13 --framework quart

Its exit status is 1 if a cell failed, whatever does not exist. What is broken is printed with what the server said.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.peers import version_of
from tests.frameworks.forms import FORMS
from tests.matrix.cell import Broken, run
from tests.matrix.environments import Absent, Environment, NotMade, is_here, make
from tests.matrix.releases import KNOWN_PYTHONS, OLDEST, PYTHONS, SERVER_PACKAGES, SERVERS
from tests.matrix.table import Cell, Report


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__.partition(":")[0])
    parser.add_argument("--wheel", type=Path, required=True, help="the wheel to install")
    parser.add_argument("--python", action="append", metavar="3.11", help="one Python of several; default: all")
    parser.add_argument("--framework", action="append", choices=list(OLDEST), help="one of several; default: all")
    parser.add_argument("--server", action="append", choices=list(SERVERS), help="one of several; default: all")
    parser.add_argument("--release", action="append", choices=["oldest", "newest"], help="default: both")
    parser.add_argument("--form", default="mixed", choices=[*FORMS, "mixed"], help="how the app asks for caching")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="environments at work at a time")
    parser.add_argument("--output", type=Path, help="the file to write the tables to; default: none")
    return parser.parse_args()


def columns(framework: str, release: str, python: str, told: argparse.Namespace, folder: Path) -> Iterator[Cell]:
    """Yield the cells of one environment, one for each server, and throw the environment away."""
    servers = told.server or list(SERVERS)
    environment: Environment | None = None
    absent: str | None = None
    unmade: list[Broken] = []
    try:
        environment = make(framework, release, python, folder, told.wheel.resolve())
    except Absent as error:
        absent = str(error)
    except NotMade as error:
        unmade.append(Broken(promise="it can be installed", report=str(error)))
    for server in servers:
        broken = list(unmade)
        if environment is not None:
            broken += run(environment, server, told.form)
        yield Cell(
            framework=framework,
            release=release,
            python=python,
            server=server,
            version=environment.version if environment is not None else None,
            broken=broken,
            absent=absent,
        )
    if environment is not None:
        shutil.rmtree(environment.interpreter.parents[1], ignore_errors=True)


def say(cell: Cell, seconds: float) -> None:
    """Print what came of *cell*, *seconds* after the start."""
    name = f"{cell.framework} {cell.version or cell.release}, Python {cell.python}, {cell.server}"
    print(f"{seconds:6.0f} s  {cell.standing:7}{name}{f': {cell.absent}' if cell.absent else ''}", flush=True)
    for broken in cell.broken:
        print(f"    {broken.promise}\n{broken.report}", flush=True)


def main() -> int:
    """Run what the command line asks for, and return the exit status. Interrupted, it tells of what is done by then."""
    told = arguments()
    start = time.monotonic()
    tried = told.python or PYTHONS
    rows = [
        (framework, release, python)
        for python in tried
        for framework in told.framework or OLDEST
        for release in told.release or ("oldest", "newest")
        # Without a framework there is one release of nothing.
        if OLDEST[framework] is not None or release == "newest"
    ]
    report = Report(facts={}, missing={python: left_out(python) for python in KNOWN_PYTHONS if python not in tried})
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(told.jobs) as pool:

        def work(row: tuple[str, str, str]) -> None:
            for cell in columns(*row, told, Path(folder)):
                say(cell, time.monotonic() - start)
                report.cells.append(cell)

        try:
            for _ in pool.map(work, rows):
                pass
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
        report.facts = {
            "Date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "Machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "Servers": servers_of(told.wheel, list(tried), Path(folder)),
            "Time": f"{time.monotonic() - start:.0f} s",
        }
    print(report.summary())
    if told.output is not None:
        told.output.write_text(report.markdown(), encoding="utf-8")
    return 1 if report.count("failed") else 0


def left_out(python: str) -> str:
    """Return why *python* is not among those that were tried."""
    return "it was not asked for" if is_here(python) else "there was none on the machine"


def servers_of(wheel: Path, pythons: list[str], folder: Path) -> str:
    """Return the servers and their versions, as the newest of *pythons* gets them."""
    try:
        bare = make("bare", "newest", pythons[-1], folder, wheel.resolve())
    except (Absent, NotMade) as error:
        return str(error)
    names = [package.partition("[")[0] for package in SERVER_PACKAGES]
    return ", ".join(f"{name} {version_of(name, bare.interpreter)}" for name in names)


if __name__ == "__main__":
    sys.exit(main())
