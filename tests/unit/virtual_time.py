"""An event loop whose time passes when nothing else can happen, so that waiting takes no time. It asserts nothing."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _NeverWaiting(selectors.DefaultSelector):
    """Says how long it was to wait, and does not."""

    loop: _VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("nothing can ever happen: the test waits for what nobody does")
        self.loop.now += timeout
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        selector = _NeverWaiting()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def run_at_once(test: Coroutine[Any, Any, None]) -> None:
    """Run *test* on a loop where `asyncio.sleep` and time-outs end as soon as nothing else is left to do."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        runner.run(test)
