"""Gives each peer an environment of its own, since requirements exclude each other. It keeps them for next time."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .subjects import REQUIREMENTS

SERVER = ("uvicorn", "uvloop", "httptools")
"""What serves all subjects, in one version for all: the one that runs this."""


class InstallFailed(Exception):
    """A peer could not be installed; *report* is what the installer said."""

    def __init__(self, peer: str, report: str) -> None:
        super().__init__(f"{peer} could not be installed: {report.strip()[-300:]}")


def python_of(folder: Path) -> Path:
    """Return the interpreter of the environment in *folder*."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare(peer: str, folder: Path) -> Path:
    """Return the interpreter of an environment below *folder* that has *peer*. Raises InstallFailed."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = folder / f"{peer}-{version}"
    requirements = [*REQUIREMENTS[peer], *(f"{name}=={importlib.metadata.version(name)}" for name in SERVER)]
    done = place / "installed.txt"
    if not done.is_file() or done.read_text(encoding="utf-8").split() != requirements:
        uv = _uv()
        if uv:
            _run(peer, [uv, "venv", "--quiet", "--clear", f"--python={sys.executable}", str(place)])
            _run(peer, [uv, "pip", "install", "--quiet", f"--python={python_of(place)}", *requirements])
        else:
            _run(peer, [sys.executable, "-m", "venv", "--clear", "--without-pip", str(place)])
            pip = [sys.executable, "-m", "pip", f"--python={python_of(place)}"]
            _run(peer, [*pip, "install", "--quiet", *requirements])
        done.write_text("\n".join(requirements), encoding="utf-8")
    return python_of(place)


def version_of(peer: str, python: Path) -> str:
    """Return the version of *peer* that *python* has."""
    code = f"import importlib.metadata; print(importlib.metadata.version({peer!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _uv() -> str | None:
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.is_file() else shutil.which("uv")


def _run(peer: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallFailed(peer, str(error)) from error
    if done.returncode:
        raise InstallFailed(peer, done.stderr)
