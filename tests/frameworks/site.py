"""One of the apps, served by some server, and how to ask it over HTTP/1.1 or HTTP/2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx2
from tests.frameworks.forms import Form
from tests.frameworks.traits import TRAITS, Traits
from tests.transparency.servers import Answer, connect, parse, read_all, read_until, request


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the app of *framework*, built in *form*, is served; `output` gives what its process has printed."""

    framework: str
    form: Form
    port: int
    output: Callable[[], str]
    http: Literal["1.1", "2"] = "1.1"

    @property
    def traits(self) -> Traits:
        return TRAITS[self.framework]

    def ask(self, target: str, *, method: str = "GET", lines: tuple[str, ...] = (), body: bytes = b"") -> Answer:
        """Send one request on a connection of its own, and return its answer."""
        if self.http == "2":
            return self._ask_by_http2(target, method, lines, body)
        with connect(self.port) as connection:
            connection.sendall(request(target, method=method, lines=lines, body=body))
            if method == "HEAD":
                return parse(read_all(connection))
            got = read_until(connection, b"\r\n\r\n")
            answer = parse(got)
            lengths = answer.values("content-length")
            if answer.status == 304 or not lengths:
                return parse(got + read_all(connection))
            # Some servers close only once what the app does in the background is done.
            while len(answer.rest) < int(lengths[0]):
                got += connection.recv(1 << 16) or b"\0" * int(lengths[0])
                answer = parse(got)
            return answer

    def _ask_by_http2(self, target: str, method: str, lines: tuple[str, ...], body: bytes) -> Answer:
        fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        transport = httpx2.HTTPTransport(http1=False, http2=True, verify=False)
        with httpx2.Client(transport=transport, base_url=f"http://127.0.0.1:{self.port}", timeout=20) as client:
            response = client.request(method, target, headers=fields, content=body)
            assert "HTTP/2" == response.http_version
            answered = [(name.lower(), value) for name, value in response.headers.raw]
            return Answer(response.status_code, answered, response.content)
