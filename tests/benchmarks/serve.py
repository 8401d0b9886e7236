"""Serves one subject by uvicorn on a free port, which it prints.

python -m tests.benchmarks.serve SUBJECT SIZE
"""

from __future__ import annotations

import socket
import sys

import uvicorn

from .subjects import Origin, by_name


def main(name: str, size: int) -> None:
    """Serve until killed."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        by_name(name).make(Origin(size)), loop="uvloop", http="httptools", access_log=False, log_level="critical"
    )
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
