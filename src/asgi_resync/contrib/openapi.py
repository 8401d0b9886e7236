"""What an OpenAPI document says of routes that are cached, or guarded by breakers. It knows no framework. Pure.

It tells what rules and marks say; what only the responses say, by their Cache-Control, no document can know.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice, product
from typing import Final, Protocol, TypeAlias

from ..breaker.rules import BreakerRule
from ..cache.rules import CacheRule, Terms

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"

CACHE_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Status": "Whether the answer came from the cache, and why not if it did not (RFC 9211).",
    "Age": "Of an answer from the cache: the seconds since the app gave it (RFC 9111).",
    "ETag": "To be sent in If-None-Match when the answer is asked for again (RFC 9110).",
}
"""What a cached answer carries, and what each field tells."""

NOT_MODIFIED: Final = "The client has this answer already: its If-None-Match names the ETag."
UNAVAILABLE: Final = "A service that this route needs is not available. Retry-After says when to try again."
PROBLEM: Final = "application/problem+json"
GUARD_HEADERS: Final[Mapping[str, str]] = {
    "Retry-After": "Seconds after which to try again.",
    "Resync-Degraded": "The services that are not available.",
}
"""What a 503 carries besides its problem document."""

SAMPLES: Final = ("1", "a", "1.5", "00000000-0000-0000-0000-000000000000")
"""What may stand for a parameter of a path: each matches what some converter of Starlette takes."""
_MOST_PATHS: Final = len(SAMPLES) ** 6
"""Paths that are tried for one route: all there are for one of six parameters."""


class Ruled(Protocol):
    """A Resync, as a document sees it."""

    @property
    def rules(self) -> Iterable[CacheRule]: ...

    @property
    def breaker_rules(self) -> Iterable[BreakerRule]: ...


def paths_like(path: str) -> Iterator[str]:
    """Yield paths that a route of *path*, with its parameters between braces, answers: each with every sample."""
    literals = re.split(r"\{[^}]*\}", path)
    for values in islice(product(SAMPLES, repeat=len(literals) - 1), _MOST_PATHS):
        yield "".join(part for pair in zip(literals, (*values, ""), strict=True) for part in pair)


def cached_statuses(path: str, terms: Terms | None, ruled: Ruled) -> Collection[int]:
    """Return the statuses for which answers to GET of *path* get a lifetime by *terms*, its mark's, or by a rule."""
    if terms is not None and terms.ttl is not None:
        return terms.statuses
    for rule in ruled.rules:
        if rule.ttl is not None and any(rule.matches(like, "GET") for like in paths_like(path)):
            return rule.statuses
    return ()


def is_guarded(path: str, method: str, ruled: Ruled) -> bool:
    """Return whether *method* of *path* may be answered by 503 because an upstream is not available."""
    for like in paths_like(path):
        found = next((rule for rule in ruled.breaker_rules if rule.matches(like, method)), None)
        if found is not None:
            return found.policy != "read-only"
    return False


def describe_operation(operation: dict[str, Json], *, cached: Collection[int], guarded: bool) -> None:
    """Add to *operation* of a document what its route answers, if it is *guarded*, or if statuses of it are *cached*.

    What is there stays.
    """
    responses = operation.setdefault("responses", {})
    if not isinstance(responses, dict):
        return
    for status in cached:
        declared = responses.get(str(int(status)))
        if isinstance(declared, dict):
            _add_headers(declared, CACHE_HEADERS)
            if status < 300:  # RFC 9110 §13.2.1: no other answer is one that If-None-Match is asked of
                responses.setdefault("304", _response(NOT_MODIFIED, CACHE_HEADERS))
    if guarded:
        content: Json = {PROBLEM: {"schema": problem_schema()}}
        responses.setdefault("503", {**_response(UNAVAILABLE, GUARD_HEADERS), "content": content})


def problem_schema() -> dict[str, Json]:
    """Return the schema of the problem document (RFC 9457) that says 503."""
    texts: dict[str, Json] = {name: {"type": "string"} for name in ("type", "title", "detail")}
    return {"type": "object", "title": "Problem", "properties": {**texts, "status": {"type": "integer"}}}


def _response(description: str, headers: Mapping[str, str]) -> dict[str, Json]:
    response: dict[str, Json] = {"description": description}
    _add_headers(response, headers)
    return response


def _add_headers(response: dict[str, Json], headers: Mapping[str, str]) -> None:
    there = response.setdefault("headers", {})
    if isinstance(there, dict):
        for name, description in headers.items():
            kind = "integer" if name in ("Age", "Retry-After") else "string"
            there.setdefault(name, {"description": description, "schema": {"type": kind}})
