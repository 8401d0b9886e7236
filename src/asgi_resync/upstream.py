"""A service behind the app, by name. It says who; it calls nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import RuleError

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream that rules may name: `purge(upstream=…)` drops what was built from it.

    `name` is lower-case letters, digits, `-` and `_`. Raises RuleError for any other.
    """

    name: str

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise RuleError("name", name, "give lower-case letters, digits, '-' and '_', such as 'tws'")
