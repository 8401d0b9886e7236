"""`python -m asgi_resync COMMAND`: hands the arguments to one command, and knows nothing of what it does."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from . import __version__


class Command(NamedTuple):
    """A module with `main(argv) -> int | None`, and what it does."""

    module: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "settings": Command("asgi_resync.cli.settings", "print the effective settings and where each came from"),
    "graph": Command("asgi_resync.cli.graph", "print what depends on what in an app"),
    "demo": Command("asgi_resync.demo", "run the demonstration"),
}


def main(argv: Sequence[str] | None = None, commands: Mapping[str, Command] = COMMANDS) -> int:
    """Run one of *commands*; its exit status.

    0 is success, 2 arguments or settings that cannot be used, 141 a reader that went away (`… | head`), as for any
    program that SIGPIPE ends.
    """
    parser = argparse.ArgumentParser(
        prog="python -m asgi_resync",
        usage="%(prog)s [-h] [--version] COMMAND ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="commands:\n" + "\n".join(f"  {name:<10}{command.summary}" for name, command in commands.items()),
        epilog="COMMAND --help explains a command. Exit status: 0 done, 2 wrong arguments or settings.",
    )
    parser.add_argument("--version", action="version", version=f"asgi-resync {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=tuple(commands), help=argparse.SUPPRESS)
    rest = parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    rest.required = False  # Or argparse names it among what is missing.
    chosen = parser.parse_args(argv)
    run: Callable[[Sequence[str]], int | None] = importlib.import_module(commands[chosen.command].module).main
    try:
        status = run(chosen.arguments) or 0
        # Here, and not in the interpreter's last moments, where nobody could catch what it raises.
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer goes nowhere, or the interpreter would try once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


if __name__ == "__main__":
    sys.exit(main())
