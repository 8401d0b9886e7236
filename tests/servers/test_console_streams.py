"""An open console does not keep a server from stopping."""

from __future__ import annotations

import time

import pytest
from tests.transparency.servers import connect, read_until, request, serving

from asgi_resync.console.stream import LASTS


@pytest.mark.parametrize("server", ["uvicorn-httptools", "granian", "hypercorn"])
def test_a_server_stops_while_somebody_looks(server: str) -> None:
    """No later than a stream lasts: uvicorn waits for responses to end, however long."""
    with serving(server, "tests.browser.shop:app") as running, connect(running.port) as looking:
        looking.sendall(request("/bare/events"))
        read_until(looking, b"event: sections")
        began = time.monotonic()
        running.stop()

    assert time.monotonic() - began < LASTS + 3
