"""Telling once that the backplane is lost, however often it is tried again. It decides nothing else."""

from __future__ import annotations

from ...events import BackplaneCaughtUp, BackplaneLost, Event, Listener, guarded

STOPPED = "stopped"
"""The cause of a loss that was meant."""


def telling_losses_once(listener: Listener | None) -> Listener:
    """Return a guarded listener that tells *listener* of a loss only where the last one was followed by catching up.

    The first is told too, of a process that never was connected, unless it was stopped before it had tried.
    """
    was_live, was_told = False, False
    told: Listener = guarded(listener) if listener is not None else lambda event: None

    def tell(event: Event) -> None:
        nonlocal was_live, was_told
        if isinstance(event, BackplaneLost):
            if was_told or (event.cause == STOPPED and not was_live):
                return
            was_told = True
        elif isinstance(event, BackplaneCaughtUp):
            was_live, was_told = True, False
        told(event)

    return tell
