"""The arguments of a Resync, checked: rules and upstreams that fit each other. It wires nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace

from .breaker.rules import BreakerRule
from .cache.rules import CacheRule
from .errors import RuleError
from .upstream import Upstream, Upstreams, spelled


def by_name(upstreams: Iterable[Upstream]) -> dict[str, Upstream]:
    """Return *upstreams* by their names. Raises RuleError for one of another kind, or that is there twice."""
    found: dict[str, Upstream] = {}
    for upstream in upstreams:
        if not isinstance(upstream, Upstream):
            raise RuleError("upstreams", upstream, "give a list of Upstream, such as [Upstream('tws')]")
        if upstream.name in found:
            raise RuleError("upstreams", upstream.name, "it is there twice; name each upstream once")
        found[upstream.name] = upstream
    return found


def named(rule: BreakerRule, upstreams: Upstreams) -> BreakerRule:
    """Return *rule* with its upstreams named as they are among *upstreams*."""
    return replace(rule, upstreams=tuple(upstreams[name].name for name in rule.upstreams))


def of_cached(rule: CacheRule, upstreams: Upstreams) -> BreakerRule:
    """Return the rule by which the routes of a *rule* of the cache need its upstreams."""
    names = tuple(upstreams[name].name for name in rule.upstreams)
    return BreakerRule(rule.pattern, upstreams=names, methods=tuple(rule.methods))


def check_rule(rule: object, known: Upstreams, place: str = "") -> None:
    """Raise RuleError for what is no rule, and for one that names an upstream which is not among *known*.

    *place* is the setting that the rule is from; none if it is the code.
    """
    if not isinstance(rule, (CacheRule, BreakerRule)):
        raise RuleError("rules", rule, "give a list of CacheRule, such as [CacheRule('/plan', ttl=10)]")
    for name in rule.upstreams:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? Otherwise" if near else "no upstream has this name;"
            if not place:
                raise RuleError("upstreams", name, f"{hint} add Upstream({name!r}) to upstreams")
            url = f"RESYNC_UPSTREAM_{spelled(name).upper()}_URL"
            remedy = f"{hint} set {url} or add Upstream({name!r}) to upstreams, and start again"
            raise RuleError(f"upstreams of {rule.pattern} in {place}", name, remedy)
