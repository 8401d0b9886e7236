"""What an operator says about routes. Rules are checked when they are made; matching them cannot fail."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import unquote, unquote_to_bytes, urlsplit, urlunsplit

from .._headers import DELTA_SECONDS_MAX
from .._rulebook import route_path
from ..errors import RuleError

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
BODY_METHODS = frozenset({"POST", "QUERY"})


def texts(argument: str, value: object, what: str = "") -> tuple[str, ...]:
    """Return *value* as a tuple of texts that Redis and header fields can hold. Raises RuleError, naming *argument*."""
    what = what or argument
    if isinstance(value, str):
        raise RuleError(argument, value, f"give a list of {what}, such as [{value!r}]")
    if isinstance(value, bytes) or not isinstance(value, Iterable):
        raise RuleError(argument, value, f"give a list of {what}, each of them a text")
    names = tuple(value)
    for name in names:
        if not isinstance(name, str) or not name.strip() or any(c in name for c in "\r\n\0"):
            raise RuleError(argument, name, f"each of the {what} must be a non-empty text on one line")
        if not name.isascii() and any("\ud800" <= c <= "\udfff" for c in name):
            raise RuleError(argument, name, f"each of the {what} must be Unicode; this holds a lone surrogate")
    return names


def _seconds(argument: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise RuleError(argument, value, "give seconds as a number of 0 or more, such as 10 or 0.5")
    return float(min(value, DELTA_SECONDS_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What applies to a response where the response itself is silent. All times in seconds.

    `ttl` is the freshness lifetime of responses that state none, counted from the moment they are complete; None
    leaves such responses unstored. The two windows are RFC 5861's. `statuses` are those that `ttl` covers.
    `vary` names request fields to tell variants apart by, besides those the response names. `tags` and `upstreams`
    are what a purge can name. `etag`: give a strong ETag to responses without a validator. `revalidate`: ask the
    app with If-None-Match or If-Modified-Since when a stored response is stale. `set_cookie` as the setting
    RESYNC_CACHE_SET_COOKIE. None means: as the settings say.

    Raises RuleError for any argument that cannot work.
    """

    ttl: float | None = None
    stale_while_revalidate: float | None = None
    stale_if_error: float | None = None
    statuses: Sequence[int] = (200,)
    vary: Sequence[str] = ()
    tags: Sequence[str] = ()
    upstreams: Sequence[str] = ()
    etag: bool | None = None
    revalidate: bool = True
    set_cookie: Literal["refuse", "strip", "store"] | None = None

    vary_fields: tuple[bytes, ...] = field(init=False, repr=False)
    all_tags: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fix = object.__setattr__
        fix(self, "ttl", _seconds("ttl", self.ttl))
        fix(self, "stale_while_revalidate", _seconds("stale_while_revalidate", self.stale_while_revalidate))
        fix(self, "stale_if_error", _seconds("stale_if_error", self.stale_if_error))
        given: object = self.statuses
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise RuleError("statuses", given, "give a list, such as [200]")
        statuses = tuple(given)
        for status in statuses:
            # 1xx is not final, and the others answer a precondition or a range of one request.
            if not isinstance(status, int) or not 200 <= status <= 599 or status in (206, 304, 412, 416):
                raise RuleError("statuses", status, "give final statuses other than 206, 304, 412 and 416")
        fix(self, "statuses", statuses)
        vary = texts("vary", self.vary, "request field names")
        for name in vary:
            if name == "*":
                raise RuleError("vary", name, "a response that varies on everything cannot be cached; name the fields")
            if not TOKEN.fullmatch(name):
                raise RuleError("vary", name, "give names of request fields, such as 'accept-language'")
        fix(self, "vary", vary)
        fix(self, "vary_fields", tuple(sorted({name.lower().encode() for name in vary})))
        fix(self, "tags", texts("tags", self.tags, "tags"))
        fix(self, "upstreams", texts("upstreams", self.upstreams, "upstream names"))
        # An upstream is a tag in a namespace that no user's tag can reach: users' tags hold no NUL.
        fix(self, "all_tags", (*self.tags, *(upstream_tag(name) for name in self.upstreams)))
        if self.set_cookie not in (None, "refuse", "strip", "store"):
            raise RuleError("set_cookie", self.set_cookie, "choose 'refuse', 'strip' or 'store'")
        for argument in ("etag", "revalidate"):
            if getattr(self, argument) not in (None, True, False):
                raise RuleError(argument, getattr(self, argument), "give True or False")


UPSTREAM_TAG = "\0upstream:"
"""What tags of upstreams begin with, and no user's tag can."""


def upstream_tag(name: str) -> str:
    """Return the tag that stands for everything built from the upstream *name*."""
    return f"{UPSTREAM_TAG}{name}"


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule(Terms):
    """Terms for the paths that match *pattern*, a Starlette path such as `/plan/{id:int}` or `/plan/{rest:path}`.

    The first rule that matches path and method applies. `methods` may hold GET (which HEAD follows), and POST or QUERY
    with `body_in_key=True`: then the request body, up to `max_key_body` bytes, is part of the key, and requests with
    a larger one, or with preconditions, are passed on. A POST that reaches the app is unsafe all the same and
    invalidates what is stored for GET of its URI (RFC 9111 §4.4), but not what is stored for other bodies.

    `query` says how the query string enters the key: `keep` as sent, `sort` by name with repeated names kept in their
    order, `ignore` altogether; `query_allow` keeps only the named parameters and `query_drop` leaves those out; both
    take `*` and `?` as in `utm_*`, and both sort.

    Raises RuleError for any argument that cannot work.
    """

    pattern: str = field(kw_only=False)
    methods: Sequence[str] = ("GET",)
    query: Literal["keep", "sort", "ignore"] = "keep"
    query_allow: Sequence[str] | None = None
    query_drop: Sequence[str] = ()
    body_in_key: bool = False
    max_key_body: int = 64 * 1024

    matcher: Callable[[str], object | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Named, since zero-argument super() does not work in a dataclass with slots.
        Terms.__post_init__(self)
        fix = object.__setattr__
        pattern: object = self.pattern
        if not isinstance(pattern, str) or not pattern.startswith("/"):
            raise RuleError("pattern", pattern, "give a path that starts with '/', such as '/plan/{rest:path}'")
        if "*" in pattern or pattern.count("{") != pattern.count("}"):
            raise RuleError("pattern", pattern, "for all below /plan/ write '/plan/{rest:path}'")
        fix(self, "matcher", _compile(self.pattern))
        methods = tuple(method.upper() for method in texts("methods", self.methods, "methods"))
        for method in methods:
            if method not in ("GET", "HEAD") and method not in BODY_METHODS:
                raise RuleError("methods", method, "only GET, HEAD, POST and QUERY can be answered from a cache")
            if method in BODY_METHODS and self.body_in_key is not True:
                raise RuleError("methods", method, f"add body_in_key=True, or all {method} bodies get one answer")
        if not methods:
            raise RuleError("methods", methods, "name at least one method")
        if "HEAD" in methods and "GET" not in methods:
            raise RuleError("methods", methods, "HEAD is answered from what GET has stored: name GET")
        if self.body_in_key and not BODY_METHODS & set(methods):
            raise RuleError("body_in_key", self.body_in_key, "it is for POST and QUERY: name one of them in methods")
        fix(self, "methods", methods)
        if self.query not in ("keep", "sort", "ignore"):
            raise RuleError("query", self.query, "choose 'keep', 'sort' or 'ignore'")
        if self.query_allow is not None:
            fix(self, "query_allow", texts("query_allow", self.query_allow, "parameter names"))
        fix(self, "query_drop", texts("query_drop", self.query_drop, "parameter names"))
        if self.query == "ignore" and (self.query_allow is not None or self.query_drop):
            raise RuleError("query", self.query, "'ignore' leaves out every parameter; drop query_allow and query_drop")
        if self.query_allow is not None and self.query_drop:
            raise RuleError("query_drop", self.query_drop, "give query_allow or query_drop, not both")
        largest: object = self.max_key_body
        if isinstance(largest, bool) or not isinstance(largest, int) or largest < 0:
            raise RuleError("max_key_body", largest, "give a number of bytes")

    def matches(self, path: str, method: str) -> bool:
        """Return whether the rule applies to *method* on *path*; a rule for GET covers HEAD."""
        named = method in self.methods or (method == "HEAD" and "GET" in self.methods)
        return named and self.matcher(path) is not None

    def query_in_key(self, query: bytes) -> bytes:
        """Return the form of *query* that enters the key. Parameter names are compared decoded."""
        if not query or (self.query == "keep" and self.query_allow is None and not self.query_drop):
            return query
        if self.query == "ignore":
            return b""
        kept: list[bytes] = [pair for pair in query.split(b"&") if pair and self._keeps(pair)]
        # Sorted by name only, and stably: the order of repeated names carries meaning.
        ordered: list[bytes] = sorted(kept, key=_name_of)
        return b"&".join(ordered)

    def _keeps(self, pair: bytes) -> bool:
        if self.query_allow is None and not self.query_drop:
            return True
        name = _name_of(pair)
        if self.query_allow is not None:
            return any(_is_named(name, pattern) for pattern in self.query_allow)
        return not any(_is_named(name, pattern) for pattern in self.query_drop)


def _name_of(pair: bytes) -> str:
    """Return the name as apps read it."""
    return unquote_to_bytes(pair.partition(b"=")[0].replace(b"+", b" ")).decode("utf-8", "replace")


def _is_named(name: str, pattern: str) -> bool:
    # `filter[name]` is a name that APIs use, and no set of characters.
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def url_in_key(url: str, rules: Iterable[CacheRule], root: str = "") -> str:
    """Return *url* with its query as it enters the key of a GET under *rules*, for an app mounted at *root*."""
    parts = urlsplit(url)
    if not parts.query:
        return url
    path = route_path(unquote(parts.path), root)
    rule = next((rule for rule in rules if rule.matches(path, "GET")), None)
    if rule is None:
        return url
    return urlunsplit(parts._replace(query=rule.query_in_key(parts.query.encode()).decode()))


def _compile(pattern: str) -> Callable[[str], object | None]:
    from starlette.routing import compile_path

    try:
        regex, _, _ = compile_path(pattern)
    except (ValueError, KeyError, AssertionError, re.error) as error:
        raise RuleError("pattern", pattern, f"Starlette cannot read this path: {error}") from error
    return regex.match
