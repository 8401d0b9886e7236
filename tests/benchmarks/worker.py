"""Measures one subject in a process of its own, in turns with the bare app. It decides nothing.

    python -m tests.benchmarks.worker SUBJECT SIZE

It says `{"ready": true}`, then answers each line `{"seconds": 0.1}` on stdin with the seconds per call of the subject
and of the bare app.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from .browser import HEADERS
from .subjects import BARE, Origin, Subject, by_name

if TYPE_CHECKING:
    from asgi_resync._asgi import ASGIApp, Message, Receive, Scope

CHECKED = 5
"""Requests by which a subject shows that it does what its row says."""

BATCH = 200
"""Requests made at a time: few, so that they are as warm in the processor's caches as those of a server."""

HEADER_LINES = [(b"host", b"127.0.0.1:8000"), *((name.encode(), value.encode()) for name, value in HEADERS)]


class Client:
    """One request's `receive`: the empty body once, then nothing, as of a client that stays."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False

    async def receive(self) -> Message:
        """Return the body, or wait for ever."""
        if self.asked:
            await asyncio.get_running_loop().create_future()
        self.asked = True
        return {"type": "http.request", "body": b"", "more_body": False}


async def drop(message: Message) -> None:
    """Take a message, as a `send` that costs nothing."""


def requests(path: str, count: int, numbers: Iterator[int]) -> list[tuple[Scope, Receive]]:
    """Return *count* requests as uvicorn makes them, made beforehand so that making them is not measured."""
    made: list[tuple[Scope, Receive]] = []
    for _ in range(count):
        target = path.replace("{n}", str(next(numbers))) if "{n}" in path else path
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "method": "GET",
            "root_path": "",
            "path": target,
            "raw_path": target.encode(),
            "query_string": b"",
            "headers": list(HEADER_LINES),
            "state": {},
        }
        made.append((scope, Client().receive))
    return made


async def timed(app: ASGIApp, exchanges: list[tuple[Scope, Receive]]) -> float:
    """Return the seconds of a processor that *exchanges* take, one after the other."""
    # Not those of the clock: on a busy machine what takes long is interrupted more often, and ratios come out larger.
    begun = time.process_time()
    for scope, receive in exchanges:
        await app(scope, receive, drop)
    return time.process_time() - begun


@contextlib.asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[None]:
    """Run *app* through its lifespan, if it has one."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    started, stopped = asyncio.Event(), asyncio.Event()

    async def send(message: Message) -> None:
        (started if message["type"].startswith("lifespan.startup") else stopped).set()

    async def live() -> None:
        # A bare app knows no lifespan and sends what it always sends, or raises: both mean it has none.
        with contextlib.suppress(Exception):
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, send)
        started.set()
        stopped.set()

    task = asyncio.create_task(live())
    await inbox.put({"type": "lifespan.startup"})
    await started.wait()
    try:
        yield
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await stopped.wait()
        await task


async def check(subject: Subject, size: int) -> None:
    """Raise AssertionError unless *subject* calls the app as often as its kind says, and sends its bytes."""
    origin = Origin(size, counted=True)
    app = subject.make(origin)
    numbers = itertools.count(1)
    async with running(app):
        origin.calls = 0
        for scope, receive in requests(subject.path, CHECKED, numbers):
            sent: list[Message] = []

            async def send(message: Message, sent: list[Message] = sent) -> None:
                sent.append(message)

            await app(scope, receive, send)
            assert sent[0]["status"] == 200, f"{subject.name} answered {sent[0]['status']}"
            body = b"".join(message.get("body", b"") for message in sent[1:])
            assert body == origin.body, f"{subject.name} sent {len(body)} bytes"
            # Some store after they have answered.
            await asyncio.sleep(0.01)
        expected = 1 if subject.kind == "hit" else CHECKED
        assert origin.calls == expected, f"{subject.name} called the app {origin.calls} times, not {expected}"


async def serve(subject: Subject, size: int) -> None:
    """Answer each line on stdin with a measurement."""
    await check(subject, size)
    origin = Origin(size)
    app, bare = subject.make(origin), BARE.make(origin)
    numbers = itertools.count(1)
    loop = asyncio.get_running_loop()
    async with running(app):
        await timed(app, requests(subject.path, BATCH, numbers))
        print(json.dumps({"ready": True}), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            limit = float(json.loads(line)["seconds"])
            gc.collect()
            mine = theirs = 0.0
            batches = 0
            while mine + theirs < limit:
                theirs += await timed(bare, requests(BARE.path, BATCH, numbers))
                mine += await timed(app, requests(subject.path, BATCH, numbers))
                batches += 1
            print(json.dumps({"subject": mine / batches / BATCH, "bare": theirs / batches / BATCH}), flush=True)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(by_name(sys.argv[1]), int(sys.argv[2])))
