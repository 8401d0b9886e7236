"""The ways to ask for caching that each of the three apps is built in, chosen by the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, ParamSpec, TypeAlias, TypeVar

from asgi_resync import CacheRule, Resync, Settings, cache_for
from asgi_resync.events import Event

P = ParamSpec("P")
R = TypeVar("R")

Form: TypeAlias = Literal["rule", "header", "marker", "added"]
"""By a rule; by Cache-Control in the response; by a marker; by a rule, with the middleware added inside the app."""

FORMS: tuple[Form, ...] = ("rule", "header", "marker", "added")

ITEMS = {1: "ALPHA", 2: "BETA"}
TAGS = ["plan"]


def form_of(environ: str = "FORM") -> Form:
    """Return the form that the environment names."""
    name = os.environ.get(environ, "rule")
    return next(form for form in FORMS if form == name)


def resync_for(form: Form, events: list[Event] | None = None) -> Resync:
    """Return the Resync that goes around an app built in *form*."""
    rules = [
        CacheRule("/plan", ttl=10, stale_while_revalidate=30, tags=TAGS),
        CacheRule("/items/{id:int}", ttl=10, stale_while_revalidate=30, tags=TAGS),
        CacheRule("/stream", ttl=10, tags=TAGS),
        CacheRule("/slow", ttl=10),
    ]
    listener = events.append if events is not None else None
    return Resync(Settings(), rules=rules if form in ("rule", "added") else [], on_event=listener)


def marked(form: Form) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the marker for handlers built in *form*; one that does nothing if it is not by markers."""
    if form == "marker":
        return cache_for(10, stale_while_revalidate=30, tags=TAGS)
    return lambda handler: handler


def headers(form: Form) -> dict[str, str]:
    """Return the header with which handlers built in *form* answer."""
    if form == "header":
        return {"cache-control": "max-age=10, stale-while-revalidate=30", "surrogate-key": "plan"}
    return {}
