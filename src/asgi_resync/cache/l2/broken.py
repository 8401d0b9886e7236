"""What Redis held, and cannot be used. A value, never raised: it is a miss, and an event."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Broken:
    """`reason` says in a few words why; it is one of a small set, fit for metric labels."""

    reason: str
