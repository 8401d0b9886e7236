"""Rules that are in force, and may be exchanged while requests are served: each request sees one set of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar, overload

from ._asgi import Scope

MAX_PATHS = 8192
LONGEST_PATH = 256


class Matching(Protocol):
    """A rule."""

    def matches(self, path: str, method: str) -> bool:
        """Return whether it applies to *method* on *path*."""


Rule = TypeVar("Rule", bound=Matching)


class RuleSet(Generic[Rule]):
    """Rules that do not change, and what was found by them."""

    __slots__ = ("_by_place", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_place: dict[tuple[str, str], Rule | None] = {}

    def first_for(self, scope: Scope, method: str) -> Rule | None:
        """Return the first rule that applies to *method* on the path of *scope*."""
        path: str = scope["path"]
        root = scope.get("root_path", "")
        if root:
            # What is remembered is for paths as they stand, without one that a mount has put before them.
            return self._first(route_path(path, root), method)
        try:
            return self._by_place[method, path]
        except KeyError:
            found = self._first(path, method)
        if len(path) + len(method) <= LONGEST_PATH:
            if len(self._by_place) >= MAX_PATHS:
                self._by_place.clear()
            self._by_place[method, path] = found
        return found

    def _first(self, path: str, method: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.matches(path, method)), None)


class RuleBook(Sequence[Rule]):
    """The rules in force, in the order in which they are tried. What holds it has those of `current` at any time."""

    __slots__ = ("current",)

    def __init__(self, current: RuleSet[Rule]) -> None:
        self.current = current
        """Exchanged as a whole."""

    @overload
    def __getitem__(self, index: int) -> Rule: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Rule, ...]: ...

    def __getitem__(self, index: int | slice) -> Rule | tuple[Rule, ...]:
        return self.current.rules[index]

    def __len__(self) -> int:
        return len(self.current.rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.current.rules)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.current.rules)!r})"


def route_path(path: str, root: str) -> str:
    """Return *path* as patterns are written: without the *root* under which the app is mounted."""
    # As Starlette has it: a root ends where a segment does.
    return path[len(root) :] if root and (path == root or path.startswith(root + "/")) else path
