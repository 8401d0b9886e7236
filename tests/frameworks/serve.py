"""Several of the apps in one process, each on a port of its own, all by uvicorn: `python -m tests.frameworks.serve`.

python -m tests.frameworks.serve quart=8001 falcon=8002
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


class Server(uvicorn.Server):
    """One of several in a process, which leaves the signals to who starts them all."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(ports: dict[str, int]) -> None:
    """Serve each framework on its port until SIGTERM."""
    servers = []
    for framework, port in ports.items():
        app = importlib.import_module(f"tests.frameworks.{framework}_api").app
        servers.append(Server(uvicorn.Config(app, port=port, http="httptools", log_level="warning")))

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    signal.signal(signal.SIGTERM, lambda *_: stop())
    await asyncio.gather(*(server.serve() for server in servers))


if __name__ == "__main__":
    pairs = [argument.split("=") for argument in sys.argv[1:]]
    asyncio.run(serve({name: int(port) for name, port in pairs}))
