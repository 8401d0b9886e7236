"""The rules of breakers that are in force, and what belongs to each."""

from __future__ import annotations

from collections.abc import Iterable

from .._rulebook import RuleSet
from ..errors import RuleError
from .fallback import fallback_app
from .rules import BreakerRule


class Ruled:
    """A rule, the app that is its fallback, and the upstreams that handlers under it were seen to call themselves."""

    __slots__ = ("fallback", "matches", "own_calls", "rule")

    def __init__(self, rule: BreakerRule) -> None:
        if not isinstance(rule, BreakerRule):
            raise RuleError("rules", rule, "give a list of BreakerRule")
        self.rule = rule
        self.matches = rule.matches
        self.fallback = fallback_app(rule.fallback)
        self.own_calls: set[str] = set()


class BreakerRuleBook:
    """The rules in force; `current` is exchanged as a whole."""

    __slots__ = ("current",)

    def __init__(self, rules: Iterable[BreakerRule]) -> None:
        self.current = ruled(rules)

    @property
    def rules(self) -> tuple[BreakerRule, ...]:
        """The rules, in the order in which they are tried."""
        return tuple(each.rule for each in self.current.rules)


def ruled(rules: Iterable[BreakerRule]) -> RuleSet[Ruled]:
    """Return *rules* with what belongs to each. Raises RuleError for what is no BreakerRule."""
    return RuleSet(map(Ruled, rules))
