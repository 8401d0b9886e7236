"""`asgi-resync COMMAND` or `python -m asgi_resync COMMAND`: hands the arguments to one command."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from . import __version__
from .cli.command import Status, exit_statuses, program


class Command(NamedTuple):
    """A module with `main(argv) -> int | None`, and what it does."""

    module: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "settings": Command("asgi_resync.cli.settings", "print the effective settings and where each came from"),
    "check": Command("asgi_resync.cli.check", "try the settings, Redis and every upstream, and say what is wrong"),
    "graph": Command("asgi_resync.cli.graph", "print what depends on what in an app"),
    "status": Command("asgi_resync.cli.status", "print how a running app is, as its console says"),
    "top": Command("asgi_resync.cli.top", "watch a running app, from second to second"),
    "purge": Command("asgi_resync.cli.purge", "drop what a running app has stored"),
    "demo": Command("asgi_resync.demo", "run the demonstration"),
}


def main(argv: Sequence[str] | None = None, commands: Mapping[str, Command] = COMMANDS) -> int:
    """Run one of *commands*; its exit status, see `cli.command.Status`."""
    parser = argparse.ArgumentParser(
        prog=program(),
        usage="%(prog)s [-h] [--version] COMMAND ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="commands:\n" + "\n".join(f"  {name:<10}{command.summary}" for name, command in commands.items()),
        epilog=f"{exit_statuses()}\n\nCOMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"asgi-resync {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=tuple(commands), help=argparse.SUPPRESS)
    rest = parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    rest.required = False  # Or argparse names it among what is missing.
    chosen = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not end the program.
            stream.reconfigure(errors="backslashreplace")
    try:
        run: Callable[[Sequence[str]], int | None] = importlib.import_module(commands[chosen.command].module).main
        status = run(chosen.arguments) or Status.DONE
        # Here, and not in the interpreter's last moments, where nobody could catch what it raises.
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer goes nowhere, or the interpreter would try once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Status.UNREAD
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    return status


if __name__ == "__main__":
    sys.exit(main())
