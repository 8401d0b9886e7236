"""What a run says of the machine that it ran on: what speeds depend on, and no names."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "asgi-resync",
    "uvicorn",
    "uvloop",
    "httptools",
    "redis",
    "hiredis",
    "msgspec",
    "purgatory",
    "httpx2",
    "httpx",
)


def _first(file: str, pattern: str) -> str | None:
    try:
        found = re.search(pattern, Path(file).read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def _said(command: list[str], pattern: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "absent"
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "there"


def installed(name: str) -> str:
    """Return the version of the package *name*, or that it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def load() -> str:
    """Return the load averages of one, five and fifteen minutes, where the system has them."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


def nginx_version(path: str | None) -> str:
    """Return the version of the nginx at *path*, or that there is none."""
    return _said([path, "-v"], "nginx/([0-9.]+)") if path else "absent"


def about(command: str) -> dict[str, str]:
    """Return machine, versions, the time and the *command*, by what they are."""
    memory = _first("/proc/meminfo", r"MemTotal:\s+(\d+)")
    redis = _said(["redis-server", "--version"], "v=([0-9.]+)")
    return {
        "command": f"`{command}`",
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": ", ".join(
            [
                f"{platform.system()} {platform.machine()}",
                f"{os.cpu_count()} cores",
                _first("/proc/cpuinfo", r"^model name\s*: (.*)$") or "processor unknown",
                f"{int(memory) / 2**20:.0f} GiB" if memory else "memory unknown",
            ]
        ),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {installed(name)}" for name in PACKAGES),
        "servers": f"redis {redis}",
    }
