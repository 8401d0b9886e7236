"""The rules of the code and those of the settings, in force together, and exchanged together. It reads no settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .arguments import check_rule, named, of_cached
from .breaker.rulebook import BreakerRuleBook, ruled
from .breaker.rules import BreakerRule
from .cache.cache import Cache
from .cache.rulebook import CacheRuleBook, CacheRuleSet
from .cache.rules import CacheRule
from .errors import RuleError
from .knowledge import Knowledge
from .upstream import Upstreams


class Ruling:
    """Which rules apply: those *in_settings*, then *in_code*. `cached` and `guarding` are what middlewares read.

    Raises RuleError for what is no rule, and for a rule that names an upstream which is not among *upstreams*.
    """

    def __init__(
        self,
        in_code: Iterable[CacheRule | BreakerRule],
        in_settings: Iterable[CacheRule],
        cache: Cache,
        upstreams: Upstreams,
        knowledge: Knowledge,
    ) -> None:
        if isinstance(in_code, (CacheRule, BreakerRule)):
            raise RuleError("rules", in_code, "give a list, such as [CacheRule('/plan', ttl=10)]")
        all_rules = tuple(in_code)
        for rule in all_rules:
            check_rule(rule, upstreams)
        self._of_cache = tuple(rule for rule in all_rules if isinstance(rule, CacheRule))
        self._of_breakers = tuple(named(rule, upstreams) for rule in all_rules if isinstance(rule, BreakerRule))
        self._cache, self._upstreams, self._knowledge = cache, upstreams, knowledge
        self._given: tuple[CacheRule, ...] | None = None
        self.cached = CacheRuleBook(CacheRuleSet(()))
        self.guarding = BreakerRuleBook(())
        self.adapting(in_settings)()

    def adapting(self, rules: Iterable[CacheRule]) -> Callable[[], None]:
        """Return what has *rules* in force before those of the code. Raises RuleError as the class does.

        What is returned neither waits nor raises. A URL that lately proved uncacheable is then looked at anew.
        """
        given = tuple(rules)
        if given == self._given:
            return _nothing
        for rule in given:
            check_rule(rule, self._upstreams, "RESYNC_CACHE_RULES")
        cached = CacheRuleSet((*given, *self._of_cache))
        breaking = (
            *self._of_breakers,
            *(of_cached(rule, self._upstreams) for rule in cached.rules if rule.upstreams),
        )
        guarding = ruled(breaking)

        def adapt() -> None:
            self._given = given
            self.cached.current = cached
            self.guarding.current = guarding
            self._knowledge.rules = (*cached.rules, *breaking)
            self._cache.holds_bodies = bool(self._cache.holds_bodies) or bool(cached.body_methods)
            self._cache.passing.clear()

        return adapt


def _nothing() -> None:
    """Nothing is to be done."""
