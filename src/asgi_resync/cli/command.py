"""What the commands have in common: how they are called, what they end with, and their JSON. It does nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import PurePath

import msgspec


class Status(IntEnum):
    """What a command ends with. Each means the same in all of them."""

    DONE = 0
    WRONG = 1
    UNUSABLE = 2
    AWAY = 3
    UNWRITTEN = 74
    """As sysexits.h has it, EX_IOERR."""
    INTERRUPTED = 130
    """As for any program that SIGINT ends."""
    UNREAD = 141
    """As for any program that SIGPIPE ends: the reader went away (`… | head`)."""


MEANINGS: Mapping[Status, str] = {
    Status.DONE: "done, and all is well",
    Status.WRONG: "something is wrong: `check` found it, the app is down, or a purge was refused",
    Status.UNUSABLE: "arguments or settings that cannot be used",
    Status.AWAY: "the console cannot be reached, or does not let you in",
    Status.UNWRITTEN: "the output cannot be written: stdout is closed, or the disk full",
    Status.INTERRUPTED: "interrupted (Ctrl-C)",
    Status.UNREAD: "nobody reads the output any more",
}


def exit_statuses(*statuses: Status) -> str:
    """Return what *statuses* mean, as the end of a help text; all of them, if none are named."""
    lines = [f"  {status:<4d}{MEANINGS[status]}" for status in statuses or MEANINGS]
    return "\n".join(["exit status:", *lines])


def program(argv0: str | None = None) -> str:
    """Return how this program was called, as one would call it again."""
    called = PurePath(sys.argv[0] if argv0 is None else argv0).stem
    return "asgi-resync" if called == "asgi-resync" else "python -m asgi_resync"


def parser_of(name: str, description: str, *statuses: Status, usage: str | None = None) -> argparse.ArgumentParser:
    """Return a parser for the command *name*, whose help tells of *statuses*, beside those of wrong arguments."""
    return argparse.ArgumentParser(
        prog=f"{program()} {name}",
        usage=usage,
        description=description,
        epilog=exit_statuses(*sorted({Status.DONE, Status.UNUSABLE, *statuses})),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def as_json(value: object, *, indent: int | None = 2) -> str:
    """Return *value*, which may hold structs, as JSON in ASCII, which every terminal and pipe can take."""
    return json.dumps(msgspec.to_builtins(value), indent=indent)


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
