"""How long and how large things are, as people read it. Pure."""

from __future__ import annotations

import math

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def took(seconds: float | None) -> str:
    """Return how long something took: `0.5 ms`, `25 ms`, `2.5 s`; `–` where that is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def size(count: float) -> str:
    """Return *count* bytes: `512 B`, `12 MiB`."""
    for unit in _SIZES:
        if count < 1024 or unit == _SIZES[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
