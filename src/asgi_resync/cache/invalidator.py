"""Carrying out RFC 9111 §4.4: what an unsafe request makes invalid is forgotten before its answer goes on.

A POST that a rule answers from the cache is unsafe all the same. When one reaches the app and succeeds, what is stored
for GET of its URI is forgotten, as §4.4 has it. What is stored for other POST bodies stays: the rule says that they
only read, and each new body would otherwise throw out all others. Any other unsafe method forgets these as well.
"""

from __future__ import annotations

from .._asgi import Message, RawHeaders, Scope, Send
from .._rulebook import route_path
from .cache import Cache
from .forward import header_lines, without_target
from .keys import effective_host, key_of_url, primary_key, raw_path_of
from .policy.invalidation import invalidates, same_origin_targets
from .rulebook import CacheRuleBook, CacheRuleSet
from .rules import url_in_key


class Invalidator:
    """Watches the answers to unsafe requests for *cache*; the rules of *book* say how keys are made."""

    __slots__ = ("_book", "_cache")

    def __init__(self, cache: Cache, book: CacheRuleBook) -> None:
        self._cache = cache
        self._book = book

    def watch(self, scope: Scope, send: Send, *, reads: bool = False, consumes: bool = True) -> Send:
        """Return a `send` that invalidates before the response goes on.

        *reads*: a rule says that requests like this one only read. With *consumes*, our targeted field is taken out.
        """
        # As it is now: frameworks move the root path, and change paths, in the scope itself.
        scope = dict(scope)
        method: str = scope["method"]

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                message, headers = header_lines(without_target(message) if consumes else message)
                if invalidates(method, message["status"]):
                    try:
                        await self._invalidate(scope, headers, reads=reads)
                    except Exception as error:
                        self._cache.failed("invalidate", error)
            await send(message)

        return watch

    async def _invalidate(self, scope: Scope, headers: RawHeaders, *, reads: bool) -> None:
        host = effective_host(scope)
        query = scope.get("query_string", b"")
        root = scope.get("root_path", "")
        ruled = self._book.current
        rule = ruled.first_for(scope, "GET") if ruled.rules else None
        key = primary_key(scope, host, rule.query_in_key(query) if rule is not None else query)
        targets = {key: not reads and _may_hold_bodies(ruled, scope["path"], root)}
        references = [value for name, value in headers if name.lower() in (b"location", b"content-location")]
        if references:
            raw_path = scope.get("raw_path") or raw_path_of(scope["path"])
            target = f"{key[0]}://{host.decode('latin-1')}{raw_path.decode('latin-1')}"
            for url in same_origin_targets(target, references):
                other = key_of_url(url_in_key(url, ruled.rules, root))
                targets.setdefault(other, not reads and _may_hold_bodies(ruled, str(other[3]), root))
        await self._cache.invalidate(targets)


def _may_hold_bodies(ruled: CacheRuleSet, path: str, root: str) -> bool:
    return any(rule.matcher(route_path(path, root)) is not None for rule in ruled.body_rules)
