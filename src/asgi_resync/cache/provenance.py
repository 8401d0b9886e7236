"""What an answer was built from, as tags: of the upstreams called for it, and of the kept values it used. Pure.

Nothing bounds their number but the work that calls them; an entry weighs what its tags weigh, and they go when it goes.
"""

from __future__ import annotations

from ..noted import Notes
from .rules import upstream_tag


def built_from(notes: Notes) -> tuple[str, ...]:
    """Return the tags of all that is in *notes* by now."""
    if not notes.called and not notes.tags:
        return ()
    # Copied at once: a thread that the handler has left behind may still add to them.
    called, tags = notes.called.copy(), notes.tags.copy()
    tags.update(map(upstream_tag, called))
    return tuple(sorted(tags))
