"""purgatory's API with the breakers of this library beneath it, by purgatory's own extension points.

`CircuitFactory` is an `AsyncCircuitBreakerFactory`; `CircuitUnitOfWork` is what a factory that an app has already can
be given, and `adopt` does so. The contexts they hand out judge nothing: each is a view of one `Breaker`, made anew
for whoever asks, so that what one caller excludes is no other's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Literal, TypeAlias

from purgatory import (
    AsyncAbstractUnitOfWork,
    AsyncCircuitBreakerFactory,
    CircuitBreakerCreated,
    CircuitBreakerFailed,
    CircuitBreakerRecovered,
    ContextChanged,
)
from purgatory.domain.messages.base import Event as PurgatoryEvent
from purgatory.domain.messages.base import Message
from purgatory.domain.messages.commands import CreateCircuitBreaker
from purgatory.domain.model import Context, ExcludeType
from purgatory.service._async.circuitbreaker import AsyncCircuitBreaker
from purgatory.service._async.message_handlers import register_circuit_breaker
from purgatory.service._async.repository import AsyncAbstractRepository
from purgatory.typing import TTL, CircuitName, Hook, StateName, Threshold

from ..events import BreakerChanged, Event, UpstreamFailed, UpstreamRecovered
from .breaker import Breaker
from .limits import BreakerLimits
from .state import State

HookKind: TypeAlias = Literal["circuit_breaker_created", "state_changed", "failed", "recovered"]
MakeBreaker: TypeAlias = Callable[[str, BreakerLimits], Breaker]

_log = logging.getLogger("asgi_resync")

_NAMES: dict[State, StateName] = {
    State.CLOSED: "closed",
    State.OPEN: "opened",
    State.HALF_OPEN: "half-opened",
    State.FORCED_OPEN: "opened",
    State.FORCED_CLOSED: "closed",
    State.METRICS_ONLY: "closed",
}
"""purgatory has three states, and its names for them."""


class CircuitContext(Context):
    """What purgatory enters and leaves, as a view of one breaker. Its messages stay empty: the breaker tells."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.name = breaker.name
        self.threshold = breaker.limits.fail_max
        self.ttl = breaker.limits.reset_timeout
        self.messages = []
        self.exclude_list = []

    @property
    def state(self) -> StateName:
        """purgatory's name of the state."""
        return _NAMES[self.breaker.state]

    @property
    def opened_at(self) -> float | None:
        """When it opened, in seconds since the epoch; None where it is not open."""
        return self.breaker.since

    @property
    def failure_count(self) -> int:
        """How many calls failed in a row."""
        return self.breaker.report().row

    def handle_new_request(self) -> None:
        """Begin a call. Raises BreakerOpen, which is an OpenedState."""
        self.breaker.enter()

    def handle_end_request(self) -> None:
        """End a call that raised nothing."""
        self.breaker.leave(None)

    def handle_exception(self, exc: BaseException) -> None:
        """End a call that raised; what the caller excludes counts as a success."""
        self.breaker.leave(None if self._excludes(exc) else exc)

    def _excludes(self, error: BaseException) -> bool:
        for excluded in self.exclude_list:
            kind, says = excluded if isinstance(excluded, tuple) else (excluded, None)
            if isinstance(error, kind):
                # purgatory asks the first that matches, and no other.
                return True if says is None else self._asked(says, error)
        return False

    def _asked(self, says: Callable[..., bool], error: BaseException) -> bool:
        try:
            return bool(says(error))
        except Exception:
            _log.exception("What is excluded from the breaker of %s raised; the call is not excluded.", self.name)
            return False


class CircuitBreaker(AsyncCircuitBreaker):
    """What `CircuitFactory` hands out: purgatory's, by a shorter way."""

    context: CircuitContext

    async def __aenter__(self) -> CircuitBreaker:
        self.context.breaker.enter()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc is None:
            self.context.breaker.leave(None)
        else:
            self.context.handle_exception(exc)


class CircuitRepository(AsyncAbstractRepository):
    """Breakers by name, in this process; nothing is read or written elsewhere."""

    def __init__(self, breakers: dict[str, Breaker]) -> None:
        self.breakers = breakers
        self.messages: list[Message] = []

    async def get(self, name: CircuitName) -> Context | None:
        """Return a view of the breaker *name*, None if there is none yet."""
        breaker = self.breakers.get(name)
        return None if breaker is None else CircuitContext(breaker)

    async def register(self, context: Context) -> None:
        """Keep the breaker of a context that was made here."""
        if isinstance(context, CircuitContext):
            self.breakers[context.name] = context.breaker

    async def update_state(self, name: str, state: str, opened_at: float | None) -> None:
        """Do nothing: the breaker knows."""

    async def inc_failures(self, name: str, failure_count: int) -> None:
        """Do nothing: the breaker knows."""

    async def reset_failure(self, name: str) -> None:
        """Do nothing: the breaker knows."""


class CircuitUnitOfWork(AsyncAbstractUnitOfWork):
    """A unit of work over the breakers of this process. It never waits."""

    contexts: CircuitRepository

    def __init__(self, breakers: dict[str, Breaker]) -> None:
        self.contexts = CircuitRepository(breakers)

    async def commit(self) -> None:
        """Do nothing."""

    async def rollback(self) -> None:
        """Do nothing."""


def adopt(
    factory: AsyncCircuitBreakerFactory, breakers: Mapping[str, Breaker] | None = None, make: MakeBreaker = Breaker
) -> dict[str, Breaker]:
    """Put breakers of this library beneath *factory*, before its first use: those of *breakers*, and *make* for others.

    Returns the breakers by name, those that are made later included. What was got from *factory* before stays as it
    was. Its listeners are told at once, also of what other users of the same breaker bring about.
    """
    known: dict[str, Breaker] = {}

    def tell(event: Event) -> None:
        for message in _messages(event, known):
            for hook in list(factory.listeners):
                _call(hook, *message)

    def keep(breaker: Breaker) -> None:
        breaker.listen(tell)
        known[breaker.name] = breaker

    async def create(command: CreateCircuitBreaker, uow: AsyncAbstractUnitOfWork) -> Context:
        limits = BreakerLimits(fail_max=command.threshold, reset_timeout=command.ttl)
        keep(make(command.name, limits))
        created = CircuitBreakerCreated(command.name, command.threshold, command.ttl)
        for hook in list(factory.listeners):
            _call(hook, command.name, "circuit_breaker_created", created)
        return CircuitContext(known[command.name])

    for breaker in (breakers or {}).values():
        keep(breaker)
    factory.uow = CircuitUnitOfWork(known)
    factory.messagebus.remove_listener(CreateCircuitBreaker, register_circuit_breaker)
    factory.messagebus.add_listener(CreateCircuitBreaker, create)
    return known


class CircuitFactory(AsyncCircuitBreakerFactory):
    """purgatory's factory over breakers of this library: those of *breakers* by their names, any other made by *make*.

    *default_threshold*, *default_ttl* (seconds) and *exclude* are purgatory's. A threshold or ttl that cannot work
    raises RuleError, zero included. One name is one breaker: later callers that ask for another threshold or ttl get
    the breaker as it is, and a warning is logged.
    """

    def __init__(
        self,
        default_threshold: Threshold = 5,
        default_ttl: TTL = 30,
        exclude: ExcludeType | None = None,
        *,
        breakers: Mapping[str, Breaker] | None = None,
        make: MakeBreaker = Breaker,
    ) -> None:
        super().__init__(default_threshold, default_ttl, exclude)
        BreakerLimits(fail_max=default_threshold, reset_timeout=default_ttl)
        self.breakers = adopt(self, breakers, make)
        self._handles: dict[str, CircuitBreaker] = {}
        self._warned: set[str] = set()

    async def get_breaker(
        self,
        circuit: CircuitName,
        threshold: Threshold | None = None,
        ttl: TTL | None = None,
        exclude: ExcludeType | None = None,
    ) -> CircuitBreaker:
        """Return the breaker *circuit*, to be entered as often as one likes, by many at a time."""
        if threshold is None and ttl is None and not exclude:
            handle = self._handles.get(circuit)
            if handle is not None:
                return handle
        breaker = self.breakers.get(circuit)
        if breaker is None:
            command = CreateCircuitBreaker(
                circuit,
                self.default_threshold if threshold is None else threshold,
                self.default_ttl if ttl is None else ttl,
            )
            context: CircuitContext = await self.messagebus.handle(command, self.uow)
        else:
            context = CircuitContext(breaker)
            self._compare(context, threshold, ttl)
        context.exclude_list = [*(exclude or ()), *self.global_exclude]
        handle = CircuitBreaker(context, self.uow, self.messagebus)
        if not exclude:
            self._handles[circuit] = handle
        return handle

    def _compare(self, context: CircuitContext, threshold: Threshold | None, ttl: TTL | None) -> None:
        differs = threshold not in (None, context.threshold) or ttl not in (None, context.ttl)
        if differs and context.name not in self._warned:
            self._warned.add(context.name)
            _log.warning(
                "The breaker of %s has threshold %s and ttl %s; it was asked for with threshold %s and ttl %s.",
                context.name, context.threshold, context.ttl, threshold, ttl,
            )  # fmt: skip


def _messages(event: Event, breakers: Mapping[str, Breaker]) -> list[tuple[str, HookKind, PurgatoryEvent]]:
    """Return what purgatory would have told its listeners."""
    match event:
        case BreakerChanged(upstream=name, before=before, after=after, cause=cause):
            old, new = _NAMES[State(before)], _NAMES[State(after)]
            told: list[tuple[str, HookKind, PurgatoryEvent]] = []
            if cause == "successes":
                told.append((name, "recovered", CircuitBreakerRecovered(name)))
            if old != new:
                since = breakers[name].since if new == "opened" else None
                told.append((name, "state_changed", ContextChanged(name, new, since)))
            return told
        case UpstreamFailed(upstream=name, row=row):
            return [(name, "failed", CircuitBreakerFailed(name, row))]
        case UpstreamRecovered(upstream=name):
            return [(name, "recovered", CircuitBreakerRecovered(name))]
    return []


def _call(hook: Hook, name: str, kind: HookKind, event: PurgatoryEvent) -> None:
    try:
        hook(name, kind, event)
    except Exception:
        _log.exception("A listener of the breakers raised on %s; the call was not affected.", kind)
