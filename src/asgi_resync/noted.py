"""Which upstreams some work has called, and which kept values it has used. What it means is for those who asked.

A request, a refresh or a callable opens `Notes`, and whatever calls an upstream within it, in child tasks and worker
threads too, adds its name. Notes may stand within others, and each learns what the inner ones learn. What runs in a
context of its own, such as a thread that was started bare, is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar

NONE: frozenset[str] = frozenset()


class Notes:
    """The names of the upstreams called so far, `called`, and of the kept values used, `values`, with their `tags`.

    `missing` are those for want of which a default was used; what was made so is not to be kept.
    """

    __slots__ = ("called", "missing", "outer", "tags", "values")

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.tags: set[str] = set()
        self.values: set[str] = set()
        self.missing: frozenset[str] = NONE
        self.outer: Notes | None = None

    def open(self) -> None:
        """Note what is called from here, until `close`."""
        self.outer = get_notes()
        set_notes(self)

    def close(self) -> None:
        """Undo `open`; not in a context that never knew of it, where a generator may be collected."""
        if get_notes() is self:
            set_notes(self.outer)


notes_here: ContextVar[Notes | None] = ContextVar("asgi_resync.notes", default=None)

get_notes, set_notes = notes_here.get, notes_here.set


def note(upstream: str) -> None:
    """Add *upstream* to all notes that are open here."""
    notes = get_notes()
    while notes is not None:
        notes.called.add(upstream)
        notes = notes.outer


def note_missing(names: Iterable[str]) -> None:
    """Add *names*, for want of which a default is used, to all notes that are open here."""
    notes = get_notes()
    while notes is not None:
        notes.missing = notes.missing.union(names)
        notes = notes.outer


def note_value(name: str, tags: Iterable[str]) -> None:
    """Add a value that is used here, with its *tags*, to all notes that are open here; a *name* of "" is none."""
    notes = get_notes()
    while notes is not None:
        notes.tags.update(tags)
        if name:
            notes.values.add(name)
        notes = notes.outer
