"""Which routes need which upstreams, and what becomes of them in an outage. Checked when made; matching cannot fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from ..errors import RuleError

Policy: TypeAlias = Literal["critical", "best-effort", "read-only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRule:
    """What the paths that match *pattern*, a Starlette path such as `/plan/{rest:path}`, need of *upstreams*.

    While one of them is open, a `critical` route is answered before it runs: by *fallback*, else by that of the
    upstream, else by 503. A `best-effort` route runs all the same and its answer says that it is degraded; only if
    it fails is it answered so too. A `read-only` route does not need them: it always runs, and says nothing of them.

    *methods* are those it is for, by default all; GET covers HEAD. *fallback* as in `Upstream`.

    Raises RuleError for any argument that cannot work.
    """

    pattern: str = field(kw_only=False)
    upstreams: Sequence[str]
    policy: Policy = "critical"
    methods: Sequence[str] | None = None
    fallback: object = None

    matcher: Callable[[str], object | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fix = object.__setattr__
        fix(self, "matcher", _compile(self.pattern))
        fix(self, "upstreams", _texts("upstreams", self.upstreams))
        if self.policy not in get_args(Policy):
            raise RuleError("policy", self.policy, "choose 'critical', 'best-effort' or 'read-only'")
        if self.methods is not None:
            fix(self, "methods", tuple(method.upper() for method in _texts("methods", self.methods)))

    def matches(self, path: str, method: str) -> bool:
        """Return whether the rule applies to *method* on *path*."""
        methods = self.methods
        named = methods is None or method in methods or (method == "HEAD" and "GET" in methods)
        return named and self.matcher(path) is not None


def _texts(argument: str, value: object) -> tuple[str, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not value:
        raise RuleError(argument, value, "give a list of names, such as ['tws']")
    names = tuple(name for name in value if isinstance(name, str) and name)
    if len(names) != len(value):
        raise RuleError(argument, value, "each of them must be a text that is not empty")
    return names


def _compile(pattern: object) -> Callable[[str], object | None]:
    from starlette.routing import compile_path

    if not isinstance(pattern, str) or not pattern.startswith("/"):
        raise RuleError("pattern", pattern, "give a path that starts with '/', such as '/plan/{rest:path}'")
    if "*" in pattern or pattern.count("{") != pattern.count("}"):
        raise RuleError("pattern", pattern, "for all below /plan/ write '/plan/{rest:path}'")
    try:
        regex, _, _ = compile_path(pattern)
    except (ValueError, KeyError, AssertionError, re.error) as error:
        raise RuleError("pattern", pattern, f"Starlette cannot read this path: {error}") from error
    return regex.match
