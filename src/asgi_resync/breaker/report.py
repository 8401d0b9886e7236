"""How a breaker stands, as a value. It asks nobody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerReport:
    """How a breaker stands. `calls`, `failures` and `slow` are those of its window; `open_for` seconds so far."""

    upstream: str
    state: str
    calls: int
    failures: int
    slow: int
    row: int
    open_for: float
    retry_after: float
