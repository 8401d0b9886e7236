"""`BreakerOpen` for those who use purgatory: their handlers of its `OpenedState` catch it too.

Only where purgatory is loaded anyway is this imported: it costs more than all the rest of the library.
"""

from __future__ import annotations

from purgatory.domain.model import OpenedState

from .. import errors


class BreakerOpen(errors.BreakerOpen, OpenedState):
    """What `errors.BreakerOpen` is, with the attributes of purgatory's."""

    def __init__(self, upstream: str, retry_after: float, since: float) -> None:
        errors.BreakerOpen.__init__(self, upstream, retry_after, since)
        self.opened_at = since
        self.circuit_name = upstream

    # OpenedState is a dataclass: equal ones, and so no hash.
    __eq__ = object.__eq__
    __hash__ = object.__hash__
    __repr__ = BaseException.__repr__
