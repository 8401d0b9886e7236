"""Which upstreams a piece of work has called. It remembers names; what they mean is for those who asked.

A request, a refresh or a callable opens `Notes`, and whatever calls an upstream within it, in child tasks and worker
threads too, adds its name. Notes may stand within others, and each learns what the inner ones learn.
"""

from __future__ import annotations

from contextvars import ContextVar


class Notes:
    """The names of the upstreams called so far: `called`."""

    __slots__ = ("called", "outer")

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.outer: Notes | None = None


notes_here: ContextVar[Notes | None] = ContextVar("asgi_resync.notes", default=None)


def note(upstream: str) -> None:
    """Add *upstream* to all notes that are open here."""
    notes = notes_here.get()
    while notes is not None:
        notes.called.add(upstream)
        notes = notes.outer
