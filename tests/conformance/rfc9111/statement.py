"""What a statement is: where it stands, how strongly it is meant, what it says, and what holds it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """RFC 2119, and what the text defines or allows without a key word."""

    MUST = "MUST"
    MUST_NOT = "MUST NOT"
    SHOULD = "SHOULD"
    MAY = "MAY"
    DEFINES = "defines"


MUST, MUST_NOT, SHOULD, MAY, DEFINES = Level.MUST, Level.MUST_NOT, Level.SHOULD, Level.MAY, Level.DEFINES


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement; `held_by` are ids of cases, and tests as `file::name` relative to the repository."""

    section: str
    level: Level
    says: str
    held_by: tuple[str, ...] = ()
    not_applicable: str = ""


def held(section: str, level: Level, says: str, *held_by: str) -> Statement:
    """A statement and what holds it; each of *held_by* may name several, with spaces between."""
    names = tuple(name for text in held_by for name in text.split())
    return Statement(section=section, level=level, says=says, held_by=names)


def moot(section: str, level: Level, says: str, reason: str) -> Statement:
    """A statement that this cache has no occasion to keep or break, or leaves unused, and the *reason*."""
    return Statement(section=section, level=level, says=says, not_applicable=reason)
