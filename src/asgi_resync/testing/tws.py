"""A stand-in for HCL Workload Automation: its REST surface as an ASGI app, with a plan and a clock of its own.

It is as faithful as public client scripts allow: field names beyond those were not checked against a live engine. It
stores nothing, and knows no TLS.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qs, unquote

from .._asgi import Clock, Receive, Scope, Send
from .faults import Fault, Faults
from .plan import Plan, sample_plan
from .serve import Server, serve
from .tws_calls import ROUTES, Call, Problem

_PREFIX = re.compile(r"/twsd(?:/v1|/api/v2)?(?=/|\Z)")


class FakeTWS:
    """An ASGI app that answers as a workload scheduler does, below `/twsd`, `/twsd/v1` and `/twsd/api/v2`.

    It asks for Basic auth by *user* and *password*, or for the bearer *token* if there is one. *clock*, in seconds
    since the epoch, moves the jobs of *plan* through their states; by default there is `sample_plan`. `calls` counts
    requests by method and path without prefix: `fake.calls["POST /plan/current/job/query"]`.

    `fail` breaks it on command, `heal` ends that, and `serve` puts it on a real socket:

        async with fake.serve() as server:
            client = httpx2.AsyncClient(base_url=f"{server.url}/twsd", auth=fake.auth)
    """

    def __init__(
        self,
        *,
        user: str = "twsuser",
        password: str = "not-a-secret",
        token: str | None = None,
        plan: Plan | None = None,
        clock: Clock = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.auth = (user, password)
        self.plan = plan if plan is not None else sample_plan(clock())
        self.calls: Counter[str] = Counter()
        self.clock = clock
        self._faults = Faults(sleep)
        basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._accepted = {basic} if token is None else {basic, f"Bearer {token}"}

    def fail(self, fault: Fault | None = None, *, times: int | None = None, path: str = "*", **parts: Any) -> None:  # noqa: ANN401 - the fields of Fault
        """Let *fault*, or one of these *parts*, happen to requests for *path*; see `Fault` and `Faults.fail`.

        *path* is without prefix, and may hold `*`: `fake.fail(status=503, retry_after=2, times=3, path="/plan/*")`.
        """
        self._faults.fail(fault if fault is not None else Fault(**parts), times=times, path=path)

    def heal(self) -> None:
        """Answer well from now on."""
        self._faults.heal()

    def serve(self, *, port: int = 0) -> AbstractAsyncContextManager[Server]:
        """Serve it on a socket of 127.0.0.1 while the block lasts; the Server can refuse connections."""
        return serve(self, port=port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Other scopes raise, as apps without them do."""
        if scope["type"] != "http":
            raise RuntimeError(f"a FakeTWS has no {scope['type']}")
        path = _PREFIX.sub("", scope["path"], count=1)
        self.calls[f"{scope['method']} {path}"] += 1
        fault = self._faults.next_for(path)
        if fault is None:
            await self._answer(scope, receive, send)
        else:
            await self._faults.happen(fault, self._answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        headers = [(b"content-type", b"application/json")]
        try:
            status, document = 200, self._judge(scope, body)
        except Problem as problem:
            status, document = problem.status, {"messages": [str(problem)]}
            if status == 401:
                headers.append((b"www-authenticate", b'Basic realm="TWS"'))
        content = json.dumps(document).encode()
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    def _judge(self, scope: Scope, body: bytes) -> object:
        fields = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not _PREFIX.match(scope["path"]):
            raise Problem(404, "There is no such context root.")
        if fields.get(b"authorization") not in self._accepted:
            raise Problem(401, "AWSJCO031E The credentials are not valid.")
        raw = scope.get("raw_path") or scope["path"].encode()
        # Ids may hold an escaped slash, so the path is split before it is decoded.
        path = _PREFIX.sub("", raw.decode("latin-1").partition("?")[0], count=1)
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        many = fields.get(b"how-many", "500")
        if not (many.isdecimal() and many.isascii()):
            raise Problem(400, "AWSJCO084E How-Many is not a number.")
        known = False
        for method, pattern, handler in ROUTES:
            found = pattern.fullmatch(path)
            if found is not None:
                known = True
                if method == scope["method"]:
                    return handler(self, Call(tuple(map(unquote, found.groups())), query, body, int(many)))
        raise Problem(405 if known else 404, f"AWSJCO005E There is no {scope['method']} {path}.")
