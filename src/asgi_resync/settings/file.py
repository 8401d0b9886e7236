"""The config file as a layer of texts: TOML or JSON, with the names of the environment. It knows no setting's worth.

`RESYNC_CACHE_L1_TTL = "60s"`, `cache_l1_ttl = "60s"` and `[cache]` with `l1_ttl = 60` say the same.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TypeAlias

from ..errors import SettingProblem
from .environment import Layer
from .rules import once

CONFIG_FILE = "RESYNC_CONFIG_FILE"
RULES = "RESYNC_CACHE_RULES"
"""The one setting that is a list of tables."""
LARGEST = 2**20
"""Bytes of the largest file that is read: one that is larger is no config file."""

_OURS = "RESYNC_"
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")

Read: TypeAlias = tuple[Layer, list[SettingProblem]]


def read_file(path: str) -> Read:
    """Return what the file at *path* says, and what is wrong with it. Raises nothing; it may wait for a disk."""
    try:
        # A pipe would keep the reader waiting for a writer.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return _unusable(path, "it is no regular file")
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return _unusable(path, "there is no such file")
    except (OSError, ValueError) as error:
        return _unusable(path, f"it cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}")
    return parse_file(path, content)


def parse_file(path: str, content: bytes) -> Read:
    """Return what *content* says, and what is wrong with it; *path* tells its form, and names it.

    It is JSON if *path* ends in `.json` or it begins with a brace, else TOML.
    """
    if len(content) > LARGEST:
        return _unusable(path, f"it is larger than {LARGEST} bytes")
    is_json = path.lower().endswith(".json")
    try:
        text = content.decode("utf-8-sig")
        is_json = is_json or text.lstrip()[:1] == "{"
        parsed: object = json.loads(text, object_pairs_hook=_Pairs) if is_json else _Pairs(tomllib.loads(text).items())
    except UnicodeDecodeError:
        return _unusable(path, "it is not UTF-8")
    except RecursionError:
        return _unusable(path, "it is nested too deep")
    except ValueError as error:  # of which both decoders' errors are, that tell the place and no value
        return _unusable(path, f"it is no {'JSON' if is_json else 'TOML'}: {error}")
    if not isinstance(parsed, _Pairs):
        return _unusable(path, "it is no object of names and values")
    texts: dict[str, str] = {}
    problems: list[SettingProblem] = []
    for words, value in _flat(parsed, ()):
        name = _name(words)
        in_file = f"{name} in {path}"
        if not _NAME.fullmatch(name):
            shown = ".".join(words)
            problems.append(_problem(f"{shown} in {path}", "not a name: expected letters, digits and '_'"))
        elif name == CONFIG_FILE:
            problems.append(_problem(in_file, "the file cannot name another; set it in the environment"))
        elif name in texts:
            problems.append(_problem(in_file, "it is there twice, or in two spellings; say it once"))
        else:
            try:
                texts[name] = _rules(value) if name == RULES and isinstance(value, list) else _text(value)
            except ValueError as error:
                problems.append(_problem(in_file, str(error)))
    return Layer(path, texts), problems


class _Pairs:
    """An object or a table, in which a name may, wrongly, be twice."""

    def __init__(self, pairs: Iterable[tuple[str, object]]) -> None:
        self.pairs = list(pairs)


def _flat(table: _Pairs, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in table.pairs:
        words = (*above, key)
        if isinstance(value, dict):
            value = _Pairs(value.items())
        if isinstance(value, _Pairs):
            yield from _flat(value, words)
        else:
            yield words, value


def _name(words: tuple[str, ...]) -> str:
    name = "_".join(words).upper().replace("-", "_")
    return name if name.startswith(_OURS) else f"{_OURS}{name}"


def _text(value: object) -> str:
    """Return *value* as the environment would have it, or raise ValueError with what is expected instead."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return format(Decimal(repr(value)), "f") if math.isfinite(value) else str(value)
        case None:
            return ""  # not set, as in the environment
        case list():
            parts = [_text(item) for item in value]
            if any("," in part or not part.strip() for part in parts):
                raise ValueError("expected a list of texts without commas, none of them empty")
            return ",".join(parts)
    raise ValueError("expected a text, a number, true, false or a list of them")


def _rules(value: list[object]) -> str:
    """Return tables as the environment would have them, in JSON."""
    try:
        return json.dumps(_plain(value))
    except TypeError:
        raise ValueError("expected texts, numbers, true, false and lists of them in rules; a date is none") from None


def _plain(value: object) -> object:
    if isinstance(value, _Pairs):
        value = once(value.pairs)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _problem(name: str, expected: str) -> SettingProblem:
    # The value may be a secret under a wrong name.
    return SettingProblem(name, "…", expected)


def _unusable(path: str, reason: str) -> Read:
    return Layer(path, {}), [SettingProblem(CONFIG_FILE, path, reason)]
