"""Several listeners as one. It tells each what it wants, and none of them harms another."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from ..errors import RuleError
from ..events import Event, Listener, guarded, wanted_by, wants
from .log import LoggingListener, to_logging


class AllOf:
    """A listener that hands each event to those of *listeners* that want it, in order. What one raises is logged."""

    never_raises = True

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = tuple(listeners)
        self._guarded = tuple(guarded(listener) for listener in listeners)
        self._by_kind: dict[type[Event], tuple[Listener, ...]] = {}
        every: list[type[Event]] | None = []
        for listener in listeners:
            kinds = wanted_by(listener)
            every = None if every is None or kinds is None else [*every, *kinds]
        self.wants: tuple[type[Event], ...] | None = None if every is None else tuple(dict.fromkeys(every))

    def __call__(self, event: Event) -> None:
        """Tell all that want it of *event*."""
        kind = type(event)
        told = self._by_kind.get(kind)
        if told is None:
            told = self._by_kind[kind] = tuple(listener for listener in self._guarded if wants(listener, kind))
        for tell in told:
            tell(event)


def all_of(*listeners: Listener) -> AllOf:
    """Return one listener that tells each of *listeners*, in order, what it wants; one that raises harms no other.

    Raises RuleError for what is no function of one event, or is async.
    """
    for listener in listeners:
        _check(listener)
    return AllOf(listeners)


def listener_of(on_event: Listener | Sequence[Listener] | None) -> Listener:
    """Return the one listener of a Resync: what was given as *on_event*, and the log where that is not among it.

    It never raises. Raises RuleError for what is no function of one event, or is async.
    """
    given: tuple[Listener, ...]
    if on_event is None:
        given = ()
    elif callable(on_event):
        given = (on_event,)
    else:
        several: object = on_event
        if isinstance(several, str) or not isinstance(several, Sequence):
            raise _wrong(several)
        given = tuple(several)
    for listener in given:
        _check(listener)
    if not any(_has_log(listener) for listener in given):
        given = (to_logging(), *given)
    return guarded(given[0]) if len(given) == 1 else AllOf(given)


def _has_log(listener: Listener) -> bool:
    if isinstance(listener, AllOf):
        return any(map(_has_log, listener.listeners))
    return isinstance(listener, LoggingListener)


def _check(listener: object) -> None:
    call = getattr(listener, "__call__", None)  # noqa: B004 - an object may have an async one
    if not callable(listener) or inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(call):
        raise _wrong(listener)


def _wrong(given: object) -> RuleError:
    return RuleError("on_event", given, "give a function of one event that is not async, or a list of such")
