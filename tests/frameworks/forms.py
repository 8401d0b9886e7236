"""The ways to ask for caching that each of the apps is built in, by the environment, and what all of them share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Literal, ParamSpec, TypeAlias, TypeVar

from asgi_resync import CacheRule, Resource, Resync, Settings, cache_for
from asgi_resync.events import Event

P = ParamSpec("P")
R = TypeVar("R")

Form: TypeAlias = Literal["rule", "header", "marker", "added", "mixed"]
"""By a rule; by Cache-Control in the response; by a marker; by a rule, with the middleware added inside the app; half
of them by a rule and half by a marker, which is for those who have no time for both."""

FORMS: tuple[Form, ...] = ("rule", "header", "marker", "added")

ITEMS = {1: "ALPHA", 2: "BETA"}
TAGS = ["plan"]


def form_of(environ: str = "FORM") -> Form:
    """Return the form that the environment names."""
    name = os.environ.get(environ, "rule")
    return next(form for form in (*FORMS, "mixed") if form == name)


def tell(what: str) -> Callable[[], None]:
    """Return a function that prints *what*, for who reads the log of the process."""
    return lambda: print(what, flush=True)


def counts() -> dict[str, int]:
    """Return how often each handler was called, and what runs beside them: nothing, so far."""
    return dict.fromkeys(("plan", "item", "slow", "broken", "later", "done", "started"), 0)


def text_of(value: object) -> bytes:
    """Return *value* as JSON without blanks, as Starlette writes it."""
    return json.dumps(value, separators=(",", ":")).encode()


def resync_for(form: Form, events: list[Event] | None = None, resources: Iterable[Resource] = ()) -> Resync:
    """Return the Resync that goes around an app built in *form*."""
    rules = [
        CacheRule("/plan", ttl=10, stale_while_revalidate=30, tags=TAGS),
        CacheRule("/items/{id:int}", ttl=10, stale_while_revalidate=30, tags=TAGS),
        CacheRule("/stream", ttl=10, tags=TAGS),
        CacheRule("/slow", ttl=10),
        CacheRule("/later", ttl=10),
        CacheRule("/broken", ttl=10),
    ]
    listener = events.append if events is not None else None
    if form == "mixed":
        rules = [rule for rule in rules if not _is_marked(rule.pattern)]
    known = rules if form in ("rule", "added", "mixed") else []
    return Resync(Settings(), rules=known, resources=resources, on_event=listener)


def served(framework: str) -> tuple[Form, Resync]:
    """Return the form of the app that is served, and its Resync with a resource that tells of its life."""

    async def start() -> None:
        tell(f"{framework}: the resource starts")()

    async def stop() -> None:
        tell(f"{framework}: the resource stops")()

    form = form_of()
    return form, resync_for(form, resources=[Resource("told", start=start, stop=stop)])


def _is_marked(name: str) -> bool:
    """Return whether a handler, or the path of one, is marked in the form `mixed`."""
    return any(part in name for part in ("item", "slow", "later"))


def marked(form: Form) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the marker for handlers built in *form*; one that does nothing if that is not by markers."""
    mark: Callable[[Callable[P, R]], Callable[P, R]] = cache_for(10, stale_while_revalidate=30, tags=TAGS)
    if form == "marker":
        return mark
    return lambda handler: mark(handler) if form == "mixed" and _is_marked(handler.__qualname__.lower()) else handler


def headers(form: Form) -> dict[str, str]:
    """Return the header with which handlers built in *form* answer."""
    if form == "header":
        return {"cache-control": "max-age=10, stale-while-revalidate=30", "surrogate-key": "plan"}
    return {}
