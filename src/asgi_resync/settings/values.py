"""Values of settings as text: parsed from what an operator writes, and written back in human units.

Pure, and strict: what could be meant in two ways (`64M`, `1_000`, `1e3`, `inf`, `-1`) is refused, never guessed.
Bounds are not its business; `variable.py` checks them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ..cache.rules import CacheRule

Value: TypeAlias = "bool | int | float | str | tuple[str, ...] | tuple[CacheRule, ...] | None"
"""What a setting can hold; durations are seconds (float), sizes are bytes (int)."""

Kind: TypeAlias = Literal["count", "duration", "size", "share", "flag", "text", "list", "choice", "url", "rules"]
"""How the text of a setting is read."""

MASK = "***"

_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,30})?"
_COUNT = re.compile(r"[0-9]{1,18}")
_SHARE = re.compile(_NUMBER)
_DURATION = re.compile(rf"({_NUMBER}) ?(ms|s|m|h|d)?")
_SIZE = re.compile(rf"({_NUMBER}) ?(b|[kmgt]i?b)?", re.IGNORECASE)
_URL_START = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")

_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_BYTES = {"b": 1} | {f"{unit}b": 1000**power for power, unit in enumerate("kmgt", start=1)}
_BYTES |= {f"{unit}ib": 1024**power for power, unit in enumerate("kmgt", start=1)}
_FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def parse(kind: Kind, text: str) -> Value:
    """The value that *text* means. ValueError where it means none, or more than one."""
    match kind:
        case "count":
            return int(_matched(_COUNT, text)[0])
        case "duration":
            return parse_duration(text)
        case "size":
            return parse_size(text)
        case "share":
            return float(_matched(_SHARE, text)[0])
        case "flag":
            return parse_flag(text)
        case "list":
            return tuple(item for item in (part.strip() for part in text.split(",")) if item)
        case "choice":
            return text.lower()
        case "url":
            check_url(text)
    return text


def parse_duration(text: str) -> float:
    """Seconds of `10`, `10s`, `500ms`, `1.5m`, `2h` or `1d`; a bare number is seconds."""
    number, unit = _matched(_DURATION, text).groups()
    return float(Decimal(number) * _SECONDS[unit or "s"])


def parse_size(text: str) -> int:
    """Bytes of `1024`, `64KiB`, `1.5GiB` (binary) or `64kB`, `64MB` (decimal), any case.

    `64M` is refused: half the world reads it as 64 000 000, the other half as 67 108 864.
    """
    number, unit = _matched(_SIZE, text).groups()
    size = Decimal(number) * _BYTES[(unit or "b").lower()]
    if size != int(size):
        raise ValueError("not a whole number of bytes")
    return int(size)


def parse_flag(text: str) -> bool:
    """True for `1`, `true`, `yes`, `on`, False for `0`, `false`, `no`, `off`, in any case; nothing else."""
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValueError("neither true nor false") from None


def check_url(text: str) -> None:
    """ValueError unless *text* is a URL that names a host with a usable port, or a path (`unix:///run/redis.sock`).

    Schemes with a `+`, as redis+sentinel, may name several hosts.
    """
    parts = urlsplit(text)
    hosts = parts.netloc.rpartition("@")[2]
    for host in hosts.split(",") if "+" in parts.scheme else [hosts]:
        one = urlsplit(f"//{host}")
        if one.port == 0 or not (one.hostname or (parts.scheme == "unix" and parts.path)):
            raise ValueError("no host")
    if not text.isprintable() or " " in text:
        raise ValueError("not printable")


def show(kind: Kind, value: Value) -> str:
    """*value* in human units, as `parse` reads it back; empty for what is not set. It does not mask."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(_printable(str(item)) for item in value)
        case str():
            return _printable(value)
        case int() if kind == "size":
            return show_size(value)
        case _ if kind == "duration":
            return show_duration(value)
    return _plain(Decimal(repr(value)))


def show_duration(seconds: float) -> str:
    """`0.05` as `50ms`, `60.0` as `60s`, `7200.0` as `2h`: exact, so that it parses back to the same float."""
    exact = Decimal(repr(seconds))
    if 0 < exact < 1:
        return f"{_plain(exact * 1000)}ms"
    for unit in ("d", "h"):
        if exact and exact % _SECONDS[unit] == 0:
            return f"{_plain(exact / _SECONDS[unit])}{unit}"
    return f"{_plain(exact)}s"


def show_size(size: int) -> str:
    """`67108864` as `64MiB`, `1500` as `1500B`: the largest binary unit that divides it."""
    for unit, factor in (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"


def mask_url(text: str) -> str:
    """*text* without what may be secret in a URL: everything before the host's `@`, the query, the fragment.

    Errs on the side of hiding: a password may itself hold `@`, `/`, `?` or `#`, unescaped.
    """
    start = _URL_START.match(text)
    if start is None:
        return MASK
    user, at, rest = text[start.end() :].rpartition("@")
    if "?" in user or "#" in user:
        return f"{start[0]}{MASK}"
    host = re.split(r"[?#]", rest, maxsplit=1)
    query = f"?{MASK}" if len(host) > 1 else ""
    return f"{start[0]}{MASK + at if at else ''}{_printable(host[0])}{query}"


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"does not match {pattern.pattern}")
    return found


def _plain(number: Decimal) -> str:
    """Without exponent and without trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _printable(text: str) -> str:
    """Escaped where it holds what could not be printed, or would act on a terminal."""
    return text if text.isprintable() else ascii(text)
