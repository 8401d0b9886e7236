"""The console is at home wherever it is mounted."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from litestar import Litestar, asgi
from litestar.types import Receive, Scope, Send
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_resync import Resync
from asgi_resync._asgi import AnyASGIApp
from asgi_resync.console import Console
from asgi_resync.testing import request

HOST = ("host", "shop.example")


def in_starlette(console: Console) -> AnyASGIApp:
    return Starlette(routes=[Mount("/resync", console)])


def in_fastapi(console: Console) -> AnyASGIApp:
    app = FastAPI()
    app.mount("/resync", console)
    return app


def in_litestar(console: Console) -> AnyASGIApp:
    @asgi("/resync", is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await console(scope, receive, send)  # type: ignore[arg-type] # the same dictionaries by other names

    return Litestar([mounted])


def in_front(console: Console) -> AnyASGIApp:
    return console.around(Starlette())


@pytest.mark.parametrize("mount", [in_starlette, in_fastapi, in_litestar, in_front])
async def test_the_console_works_wherever_it_is_mounted(mount: Callable[[Console], AnyASGIApp]) -> None:
    """Its page, what belongs to it, its API; without the last slash it leads to where links are right."""
    resync = Resync()
    app = resync(mount(Console(resync, insecure=True)))
    led = await request(app, path="/resync", headers=[HOST])
    page = await request(app, path="/resync/", headers=[HOST])
    script = await request(app, path="/resync/console.js", headers=[HOST])
    status = await request(app, path="/resync/api/status", headers=[HOST])
    forced = await request(app, "POST", "/resync/breakers/tws", headers=[HOST], body=b"to=forced-open")

    assert 307 == led.status
    assert led.header("location") in ("resync/", "http://shop.example/resync/")
    assert b"<!doctype html>" in page.body
    assert "text/javascript; charset=utf-8" == script.header("content-type")
    assert "graph" in json.loads(status.body)
    assert (303, "../?note=breaker-forced-open") == (forced.status, forced.header("location"))
    assert "forced-open" == resync.upstreams["tws"].breaker.state
