"""How long a response is fresh and how old it is (RFC 9111 §4.2). It does not say whether it may be stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..rules import Terms
from .fields import ResponseFields

HEURISTICALLY_CACHEABLE = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""RFC 9110 §15.1."""

HEURISTIC_SHARE = 0.1
HEURISTIC_CAP = 86400.0

Source = Literal["targeted", "s-maxage", "max-age", "expires", "rule", "heuristic"]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A freshness lifetime in seconds and where it comes from."""

    seconds: float
    source: Source


def freshness_lifetime(
    fields: ResponseFields, terms: Terms, *, response_time: float, response_delay: float, heuristic: bool
) -> Lifetime | None:
    """Return the freshness lifetime (§4.2.1), or None if the response states none and no rule gives one."""
    control = fields.control
    if control.s_maxage is not None:
        return Lifetime(float(control.s_maxage), "targeted" if fields.targeted else "s-maxage")
    if control.max_age is not None:
        return Lifetime(float(control.max_age), "targeted" if fields.targeted else "max-age")
    if fields.expires is not None:
        date = fields.date if fields.date is not None else response_time
        return Lifetime(max(0.0, fields.expires - date), "expires")
    if terms.ttl is not None and fields.status in terms.statuses:
        # A rule's lifetime counts from completion, or a slow handler would spend it before anybody was served.
        return Lifetime(terms.ttl + response_delay if terms.ttl else 0.0, "rule")
    # §4.2.2: only for statuses defined as heuristically cacheable, or what is marked public.
    may_guess = heuristic and (fields.status in HEURISTICALLY_CACHEABLE or control.public)
    if may_guess and fields.last_modified is not None:
        date = fields.date if fields.date is not None else response_time
        share = (date - fields.last_modified) * HEURISTIC_SHARE
        return Lifetime(min(max(share, 0.0), HEURISTIC_CAP), "heuristic")
    return None


def corrected_initial_age(fields: ResponseFields, *, response_time: float, response_delay: float) -> float:
    """Return the age in seconds at *response_time* (§4.2.3)."""
    # A response without a Date that can be read is dated when it was received (RFC 9110 §6.6.1).
    apparent_age = 0.0 if fields.date is None else max(0.0, response_time - fields.date)
    return max(apparent_age, fields.age + response_delay)


def windows(fields: ResponseFields, terms: Terms, defaults: tuple[float, float]) -> tuple[float, float]:
    """Return the stale-while-revalidate and stale-if-error windows (RFC 5861) in seconds.

    The response's own win over the rule's, and those over *defaults*.
    """
    control = fields.control
    return (
        _first(control.stale_while_revalidate, terms.stale_while_revalidate, defaults[0]),
        _first(control.stale_if_error, terms.stale_if_error, defaults[1]),
    )


def _first(stated: int | None, ruled: float | None, default: float) -> float:
    if stated is not None:
        return float(stated)
    return default if ruled is None else ruled


def may_serve_stale(fields: ResponseFields) -> bool:
    """Return whether nothing in the response forbids serving it stale (§4.2.4, §5.2.2.2, .8 and .10)."""
    control = fields.control
    return not (control.must_revalidate or control.proxy_revalidate or control.no_cache or control.s_maxage is not None)
