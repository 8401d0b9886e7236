"""`python -m asgi_resync COMMAND`: hands the arguments to one command, and knows nothing of what it does."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """A module with `main(argv) -> int | None`, and what it does."""

    module: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "settings": Command("asgi_resync.cli.settings", "print the effective settings and where each came from"),
    "demo": Command("asgi_resync.demo", "run the demonstration"),
}


def main(argv: Sequence[str] | None = None, commands: Mapping[str, Command] = COMMANDS) -> int:
    """Run one of *commands*; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m asgi_resync",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:<10}{command.summary}" for name, command in commands.items()),
    )
    parser.add_argument("command", choices=tuple(commands))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the command; --help there explains them")
    chosen = parser.parse_args(argv)
    run: Callable[[Sequence[str]], int | None] = importlib.import_module(commands[chosen.command].module).main
    return run(chosen.arguments) or 0


if __name__ == "__main__":
    sys.exit(main())
