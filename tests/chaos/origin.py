"""The origin that all workers of a test share: a file that holds what is true now, and one that counts calls.

Files, since they are there whatever becomes of the workers, and appending a byte to one is atomic.
"""

from __future__ import annotations

import os
from pathlib import Path


class Origin:
    """What is true now, by path, and who asked for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls = folder / "calls"
        self._truth = folder / "truth"
        self._calls.touch()
        if not self._truth.exists():
            self.set("0")

    @property
    def truth(self) -> str:
        """The content that the origin would give at this moment."""
        return self._truth.read_text()

    def set(self, truth: str) -> None:
        """Make *truth* true at once."""
        other = self.folder / f"truth-{os.getpid()}"
        other.write_text(truth)
        other.replace(self._truth)

    def called(self, path: str) -> None:
        """Note a call for *path*."""
        file = os.open(self._calls, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, f"{path}\n".encode())
        finally:
            os.close(file)

    def calls(self, path: str | None = None) -> int:
        """Return how many calls there were, for *path* or in all."""
        lines = self._calls.read_text().splitlines()
        return len(lines) if path is None else lines.count(path)
