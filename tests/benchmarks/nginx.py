"""nginx with `proxy_cache` in front of a server: what a cache in C does on the same core."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

CONFIGURATION = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=bench:10m max_size=256m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_cache bench;
            proxy_cache_valid 200 1h;
        }}
    }}
}}
"""


def found() -> str | None:
    """Return the path of nginx, which is often outside an ordinary user's PATH."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


@contextlib.contextmanager
def caching(upstream: int, pin: list[str]) -> Iterator[int]:
    """Run nginx before the server on port *upstream*, and give its port. *pin* goes before the command."""
    nginx = found()
    assert nginx is not None
    # Its cache is read through the file system, so it is kept in memory where that can be had.
    shm = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(prefix="bench-nginx-", dir=shm if os.access(shm, os.W_OK) else None) as folder,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        port = taken.getsockname()[1]
        taken.close()
        user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        file = Path(folder) / "nginx.conf"
        file.write_text(CONFIGURATION.format(user=user, folder=folder, port=port, upstream=upstream), encoding="utf-8")
        process = subprocess.Popen(
            [*pin, nginx, "-p", folder, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await_port(port)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=10)


def _await_port(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nginx does not listen on port {port}")
