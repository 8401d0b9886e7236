"""The app of the tests of several workers and of reloads. It says in which process its resource starts and stops."""

from __future__ import annotations

import asyncio
import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_resync import CacheRule, Resource, Resync


def said(word: str) -> None:
    # In one write, as workers share the pipe.
    os.write(1, f"{word} {os.getpid()}\n".encode())


async def start() -> None:
    said("start")


async def stop() -> None:
    await asyncio.sleep(0.05)
    said("stop")


async def page(_: Request) -> PlainTextResponse:
    return PlainTextResponse(str(os.getpid()))


resync = Resync.from_env(rules=[CacheRule("/page", ttl=60)], resources=[Resource("database", start=start, stop=stop)])
app = resync(Starlette(routes=[Route("/page", page)]))
