"""A resource that the app can do without: what is read from it falls back to a default, and a write says so."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from .._asgi import AnyASGIApp, Message, Receive, Scope, Send
from ..breaker.fallback import degraded
from ..errors import ResourceUnavailable, RuleError
from ..noted import Notes, note, note_missing
from .resource import Backoff, Resource

T = TypeVar("T")
R = TypeVar("R")


class Degradable(Generic[T]):
    """Something optional, such as a knowledge graph: give it to a Resync among its `resources`, and use it by this.

    `start` is async and returns what is used, such as a graph or a client; `stop` and `check` are given it. The rest is
    as for a `Resource`, which is never critical here. `failures` are the exceptions of a read that mean that it cannot
    be reached, though it is up as far as anybody knows.

    An answer that is made of a default says so (`Resync-Degraded: <name>`), is not kept, and gives way to a stored one
    that may stand in for an error. Raises RuleError for what cannot work.
    """

    def __init__(
        self,
        name: str,
        *,
        start: Callable[[], Awaitable[T]],
        stop: Callable[[T], object] | None = None,
        check: Callable[[T], object] | None = None,
        depends_on: Sequence[str] = (),
        timeout: float = 10.0,
        retry: Backoff | None = None,
        failures: tuple[type[Exception], ...] = (OSError,),
    ) -> None:
        if not callable(start):
            raise RuleError("start", start, "give an async function that returns what is to be used")
        self.resource = Resource(
            name,
            start=self._begin,
            stop=self._end,
            check=self._look if check is not None else None,
            depends_on=depends_on,
            critical=False,
            timeout=timeout,
            retry=retry if retry is not None else Backoff(),
        )
        self.name = name
        self._start = start
        self._stop = stop
        self._check = check
        self._failures = failures
        self._held: list[T] = []
        """What is used, once it is started; a list since it may be anything, None for one."""
        self._is_well = False

    @property
    def is_up(self) -> bool:
        """Whether reads are made, and not answered by their defaults."""
        return bool(self._held) and self._is_well

    async def read(self, act: Callable[[T], R | Awaitable[R]], default: R) -> R:
        """Return what *act*, async or not, makes of it; *default* while it is not up, or if it cannot be reached."""
        note(self.name)
        if self.is_up:
            try:
                return await _result(act(self._held[0]))
            except self._failures:
                pass  # The next check says whether it is down.
        note_missing((self.name,))
        return default

    async def write(self, act: Callable[[T], R | Awaitable[R]]) -> R:
        """Return what *act*, async or not, makes of it. Raises ResourceUnavailable while it is not up."""
        if not self.is_up:
            raise ResourceUnavailable(self.name)
        return await _result(act(self._held[0]))

    async def _begin(self) -> None:
        self._held = [await _result(self._start())]
        self._is_well = True

    async def _end(self) -> None:
        held, self._held, self._is_well = self._held, [], False
        if held and self._stop is not None:
            await _result(self._stop(held[0]))

    async def _look(self) -> object:
        assert self._check is not None
        try:
            answer = await _result(self._check(self._held[0]))
        except BaseException:
            self._is_well = False
            raise
        self._is_well = bool(self._held) and answer is not False
        return answer

    def __repr__(self) -> str:
        return f"Degradable({self.name!r})"


class DegradedAnswers:
    """Says of each answer of *app* for want of what it was made, where a read had to fall back to its default."""

    def __init__(self, app: AnyASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        notes = Notes()

        async def tell(message: Message) -> None:
            if notes.missing and message["type"] == "http.response.start":
                message = degraded(message, notes.missing, stands_in=True)
            await send(message)

        notes.open()
        try:
            await self._app(scope, receive, tell)
        finally:
            notes.close()


async def _result(value: R | Awaitable[R]) -> R:
    return cast(R, await cast(Awaitable[Any], value) if inspect.isawaitable(value) else value)
