"""What tests of clients need of an HTTP library, so that each runs over httpx2 and httpx alike."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from asgi_resync import retrying_transport
from asgi_resync.events import Event, UpstreamAnswered

LIBRARIES = ("httpx2", "httpx")

over_both = pytest.mark.parametrize("lib", [importlib.import_module(name) for name in LIBRARIES], ids=LIBRARIES)


class Script:
    """A transport's handler that takes one step per request: a status, a response, an error, or an async function.

    `seen` are the requests it got, with their bodies.
    """

    def __init__(self, lib: ModuleType, *steps: Any) -> None:
        self.lib = lib
        self.steps = list(steps)
        self.seen: list[tuple[str, bytes]] = []

    async def __call__(self, request: Any) -> Any:
        self.seen.append((request.method, request.content))
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, int):
            return self.lib.Response(step)
        if isinstance(step, BaseException) or (isinstance(step, type) and issubclass(step, BaseException)):
            raise step if isinstance(step, BaseException) else step("scripted")
        if callable(step):
            return await step(request)
        return step

    @property
    def calls(self) -> int:
        """How many requests came."""
        return len(self.seen)


class Sleeps(list[float]):
    """A `sleep` that only notes how long it would have been, and moves *advance* on by it."""

    def __init__(self, advance: Callable[[float], None] | None = None) -> None:
        super().__init__()
        self._advance = advance

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        if self._advance is not None:
            self._advance(seconds)


class Rig:
    """A client of *lib* over a script, with what it told and how long it slept."""

    def __init__(self, lib: ModuleType, *steps: Any, transport: Any = None, **options: Any) -> None:
        self.script = Script(lib, *steps) if steps else None
        self.events: list[Event] = []
        self.answers: list[UpstreamAnswered] = []
        self.sleeps = options.pop("sleep") if "sleep" in options else Sleeps()
        inner = transport if transport is not None else lib.MockTransport(self.script)
        self.transport: Any = retrying_transport(inner, on_event=self._heard, sleep=self.sleeps, **options)
        self.client: Any = lib.AsyncClient(transport=self.transport, base_url="http://up")

    def _heard(self, event: Event) -> None:
        if isinstance(event, UpstreamAnswered):
            self.answers.append(event)
        else:
            self.events.append(event)

    async def __aenter__(self) -> Rig:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    @property
    def calls(self) -> int:
        """How many attempts reached the script."""
        assert self.script is not None
        return self.script.calls


class Booked(Exception):
    """The refusal of a ToyBreaker."""


class ToyBreaker:
    """A breaker that books what it is told, and refuses once `is_open`."""

    name = "toy"

    def __init__(self) -> None:
        self.is_failed_status = lambda status: status >= 500
        self.booked: list[str] = []
        self.admitted = 0
        self.is_open = False
        self.retry_after = 0.0
        self.after: Callable[[ToyBreaker], None] = lambda breaker: None

    def admit(self) -> ToyPermit:
        """Return a permit, or raise Booked."""
        if self.is_open:
            raise Booked
        self.admitted += 1
        return ToyPermit(self)


class ToyPermit:
    """A permit that may be settled once."""

    def __init__(self, breaker: ToyBreaker) -> None:
        self.breaker = breaker
        self.settled = False

    def succeeded(self) -> None:
        self._settle("succeeded")

    def failed(self, cause: BaseException | int, /) -> None:
        self._settle(f"failed: {cause}")

    def raised(self, error: BaseException, /) -> None:
        self._settle(f"raised: {type(error).__name__}")

    def withdrawn(self) -> None:
        self._settle("withdrawn")

    def pause(self) -> None:
        assert not self.settled, "settled already"

    def resume(self) -> None:
        assert not self.settled, "settled already"

    def _settle(self, what: str) -> None:
        assert not self.settled, "settled twice"
        self.settled = True
        self.breaker.booked.append(what)
        self.breaker.after(self.breaker)


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until *condition* holds."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
