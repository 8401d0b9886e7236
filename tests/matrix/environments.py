"""An environment for each framework, release and Python, made by uv with the built wheel and all servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers import python_of, version_of
from tests.matrix.releases import OLDEST, SERVER_PACKAGES


class Absent(Exception):
    """There is no such cell: no release of the framework is for that Python. The message says why."""


class NotMade(Exception):
    """The environment could not be made; the message is what uv said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where *framework* is installed in *version*, which is None for none, on *python*: its interpreter."""

    framework: str
    release: str
    python: str
    interpreter: Path
    version: str | None


def make(framework: str, release: str, python: str, folder: Path, wheel: Path) -> Environment:
    """Make the environment of *framework* in *release*, `oldest` or `newest`. Raises Absent and NotMade."""
    oldest = OLDEST[framework]
    wanted = [str(wheel), *SERVER_PACKAGES]
    if oldest is not None and release == "oldest":
        if tuple(map(int, python.split("."))) > tuple(map(int, oldest.until.split("."))):
            raise Absent(f"{oldest.package} {oldest.version} is for Python {oldest.until} at most")
        wanted += [f"{oldest.package}=={oldest.version}", *oldest.beside]
    elif oldest is not None:
        wanted.append(oldest.package)
    place = folder / f"{framework}-{release}-{python}"
    _uv("venv", "--quiet", "--clear", f"--python={python}", str(place))
    interpreter = python_of(place)
    _uv("pip", "install", "--quiet", f"--python={interpreter}", *wanted)
    version = version_of(oldest.package, interpreter) if oldest is not None else None
    return Environment(framework=framework, release=release, python=python, interpreter=interpreter, version=version)


def is_here(python: str) -> bool:
    """Return whether *python*, such as `3.14`, is on this machine."""
    try:
        _uv("python", "find", "--no-python-downloads", python)
    except NotMade:
        return False
    return True


def _uv(*arguments: str) -> None:
    beside = Path(sys.executable).parent / ("uv.exe" if os.name == "nt" else "uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is None:
        raise NotMade("uv is not here: pip install uv")
    try:
        done = subprocess.run([uv, *arguments], capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMade(str(error)) from error
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise (Absent if "No solution found" in said else NotMade)(said[:300])
