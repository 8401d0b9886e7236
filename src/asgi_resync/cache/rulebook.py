"""The rules of the cache that are in force, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable

from .._rulebook import RuleBook, RuleSet
from ..errors import RuleError
from .rules import BODY_METHODS, CacheRule


class CacheRuleSet(RuleSet[CacheRule]):
    """Rules that do not change. Raises RuleError for what is no CacheRule."""

    __slots__ = ("body_methods", "body_rules")

    def __init__(self, rules: Iterable[CacheRule]) -> None:
        super().__init__(rules)
        for rule in self.rules:
            if not isinstance(rule, CacheRule):
                raise RuleError("rules", rule, "give a list of CacheRule")
        self.body_rules = tuple(rule for rule in self.rules if not BODY_METHODS.isdisjoint(rule.methods))
        self.body_methods = frozenset(method for rule in self.body_rules for method in rule.methods) & BODY_METHODS


class CacheRuleBook(RuleBook[CacheRule]):
    """The rules of the cache in force. What is stored keeps the terms under which it was."""

    __slots__ = ()
    current: CacheRuleSet
