"""Telling what an answer or a value was made from, to whoever draws the graph of it."""

from __future__ import annotations

from typing import Literal

from .._asgi import Scope
from ..noted import Notes
from .cache import Cache
from .provenance import route_name
from .rules import Terms


def learn(cache: Cache, kind: Literal["route", "callable"], name: str, notes: Notes) -> None:
    """Tell what *name* has called and used; "" is nothing that anybody could ask for."""
    if cache.on_built is not None and name and (notes.called or notes.values):
        cache.on_built(kind, name, notes)


def learn_route(cache: Cache, rule: Terms | None, scope: Scope, notes: Notes) -> None:
    """Tell what the app has called for a request, under the name of its *rule*, else of its route."""
    if (notes.called or notes.values) and cache.on_built is not None:
        name = getattr(rule, "pattern", "") or route_name(scope)
        if name:
            cache.on_built("route", name, notes)
