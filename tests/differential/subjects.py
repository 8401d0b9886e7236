"""nginx and Varnish as subjects, each as correct as its settings let it be, in a directory that is removed afterwards.

nginx: revalidation, HTTP/1.1 to the origin, Date passed on, the effective host in the key. Varnish: its built-in VCL,
no lifetime and no grace where the response gives none, and a minute in which what is stale can be validated.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.conformance.wire import HOST

START_TIMEOUT = 20.0
STOP_TIMEOUT = 10.0

NGINX = """
{user}
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    proxy_cache_path {directory}/cache levels=1:2 keys_zone=zone:10m inactive=10m use_temp_path=off;
    server {{
        listen {host}:{port};
        merge_slashes off;
        location / {{
            proxy_pass http://{host}:{origin};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_pass_header Date;
            proxy_pass_header Server;
            proxy_cache zone;
            proxy_cache_key $scheme$http_host$request_uri;
            proxy_cache_revalidate on;
            proxy_cache_background_update on;
        }}
    }}
}}
"""

VARNISH = """
vcl 4.1;
backend default {{ .host = "{host}"; .port = "{origin}"; }}
"""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Daemon(ABC):
    """A server that is a process of its own; the same for all settings."""

    name: str
    program: str

    def is_installed(self) -> bool:
        return shutil.which(self.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") is not None

    @abstractmethod
    def command(self, directory: Path, port: int, origin_port: int) -> list[str]:
        """Write what the server needs into *directory* and return its command line."""

    async def start(self, origin_port: int, settings: Iterable[Mapping[str, str]]) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix=f"differential-{self.name}-"))
        self._port = free_port()
        command = self.command(self._directory, self._port, origin_port)
        environ = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"}
        with (self._directory / "output").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=environ)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._until_listening()
        except TimeoutError:
            raise RuntimeError(f"{self.name} did not start: {self._said()}") from None

    def port(self, settings: Mapping[str, str]) -> int:
        return self._port

    async def stop(self) -> None:
        if not hasattr(self, "_process"):
            return
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _until_listening(self) -> None:
        while True:
            if self._process.returncode is not None:
                raise RuntimeError(f"{self.name} ended at once: {self._said()}")
            try:
                _, writer = await asyncio.open_connection(HOST, self._port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return

    def _said(self) -> str:
        return (self._directory / "output").read_text(errors="replace")[-2000:]


class Nginx(Daemon):
    """nginx with `proxy_cache`."""

    name = "nginx"
    program = "nginx"

    def command(self, directory: Path, port: int, origin_port: int) -> list[str]:
        user = "user root;" if os.geteuid() == 0 else ""
        text = NGINX.format(user=user, directory=directory, host=HOST, port=port, origin=origin_port)
        (directory / "nginx.conf").write_text(text)
        return ["nginx", "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]


class Varnish(Daemon):
    """varnishd with its built-in VCL."""

    name = "Varnish"
    program = "varnishd"

    def command(self, directory: Path, port: int, origin_port: int) -> list[str]:
        (directory / "default.vcl").write_text(VARNISH.format(host=HOST, origin=origin_port))
        parameters = ("default_ttl=0", "default_grace=0", "default_keep=60")
        return [
            "varnishd", "-F", "-j", "none", "-n", str(directory / "work"), "-s", "malloc,64m", "-T", f"{HOST}:0",
            "-a", f"{HOST}:{port}", "-f", str(directory / "default.vcl"),
            *(word for parameter in parameters for word in ("-p", parameter)),
        ]  # fmt: skip
