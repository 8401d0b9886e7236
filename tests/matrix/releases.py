"""Which releases of the frameworks are in the matrix: the oldest that are supported, and the newest there are."""

from __future__ import annotations

from dataclasses import dataclass

PYTHONS = ("3.11", "3.12", "3.13")
KNOWN_PYTHONS = (*PYTHONS, "3.14")
"""Those that the matrix is for: it says why it leaves out one of these."""

SERVERS = {
    "uvicorn-h11": "1.1",
    "uvicorn-httptools": "1.1",
    "granian": "1.1",
    "hypercorn": "1.1",
    "hypercorn-h2": "2",
}
"""Those of `tests.transparency.servers.COMMANDS`; `-h2` asks the same server over HTTP/2, by prior knowledge."""

SERVER_PACKAGES = ("uvicorn", "httptools", "websockets", "granian", "hypercorn[h2]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Oldest:
    """The oldest release of *package* that is supported, and *why* no older one is.

    `until` is the last Python that it is for. `beside` are requirements that it does not name and cannot run without.
    """

    package: str
    version: str
    why: str
    until: str = PYTHONS[-1]
    beside: tuple[str, ...] = ()


OLDEST: dict[str, Oldest | None] = {
    "starlette": Oldest(package="starlette", version="1.0.0", why="a dependency, and its first stable release"),
    "fastapi": Oldest(package="fastapi", version="0.133.0", why="the first that takes Starlette 1.0"),
    "litestar": Oldest(
        package="litestar",
        version="2.15.0",
        why="the first with the plugins that `contrib` builds on",
        beside=("sniffio",),
    ),
    "quart": Oldest(package="quart", version="0.19.9", why="the first that runs with Flask 3.1"),
    "django": Oldest(
        package="django",
        version="4.2",
        until="3.12",
        why="the first whose streaming responses take asynchronous iterators",
    ),
    "falcon": Oldest(package="falcon", version="4.0.0", why="the first with a wheel for Python 3.13"),
    "blacksheep": Oldest(package="blacksheep", version="2.0.8", why="the first with a wheel for Python 3.13"),
    "bare": None,
}
"""By the names of `tests.frameworks.traits.TRAITS`; without a framework there is nothing to install."""
