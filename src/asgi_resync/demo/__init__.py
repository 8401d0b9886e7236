"""`python -m asgi_resync demo`: a slow scheduler in a process of its own, behind an app that is wrapped in one line.

It needs no network and no server but those it starts, and none of the library's other rooms needs it.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Serve the demo until it is interrupted; 0, or 2 with one line of explanation if it cannot be served."""
    from .command import main as command  # which the scheduler's own process does not need

    return command(argv)
