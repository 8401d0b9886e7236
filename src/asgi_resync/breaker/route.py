"""What is known of one request on its way through `BreakerMiddleware`. It holds; the middleware decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..noted import Notes

if TYPE_CHECKING:
    from .permit import Permit


class RouteNotes(Notes):
    """Notes with the permits that the route holds, by upstream, until a call of the handler's takes one over.

    `refused` are the upstreams that did not admit a call of the handler's.
    """

    __slots__ = ("permits", "refused")

    def __init__(self) -> None:
        super().__init__()
        self.permits: dict[str, Permit] = {}
        self.refused: set[str] = set()
