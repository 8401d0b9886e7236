"""The cases, by group. A group is one table; no case refers to another."""

from __future__ import annotations

from types import MappingProxyType

from tests.conformance.cases import (
    age,
    conditional,
    expires,
    freshness,
    headers,
    invalidation,
    partial,
    request,
    response,
    stale,
    status,
    targeted,
    validation,
    vary,
)
from tests.conformance.model import Case

GROUPS = MappingProxyType(
    {
        "freshness": freshness.CASES,
        "expires": expires.CASES,
        "age": age.CASES,
        "response directives": response.CASES,
        "request directives": request.CASES,
        "stale": stale.CASES,
        "status and method": status.CASES,
        "vary": vary.CASES,
        "conditional": conditional.CASES,
        "validation": validation.CASES,
        "invalidation and URI": invalidation.CASES,
        "partial": partial.CASES,
        "fields": headers.CASES,
        "targeted and status": targeted.CASES,
    }
)
CASES: tuple[Case, ...] = tuple(case for group in GROUPS.values() for case in group)
BY_ID = MappingProxyType({case.id: case for case in CASES})
