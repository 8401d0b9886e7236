"""A process with one upstream, that does with its breaker what it reads: `python -m tests.servers.breaker_process URL`.

For each line that it reads it prints one: `state` what it is, `left` for how many seconds more it stays open, `ask`
whether a call is admitted, which is then under way until `well` or `ill` ends it.
"""

from __future__ import annotations

import asyncio
import sys

from asgi_resync import BreakerLimits, Resync, Upstream
from asgi_resync.breaker.permit import Permit
from asgi_resync.events import BackplaneCaughtUp, Event


async def main(url: str) -> None:
    """Obey until the input ends."""
    joined = asyncio.Event()

    def on_event(event: Event) -> None:
        if isinstance(event, BackplaneCaughtUp):
            joined.set()

    resync = Resync.from_env(
        {"RESYNC_REDIS_URL": url, "RESYNC_REDIS_TIMEOUT": "5s"},
        upstreams=[Upstream("up", limits=BreakerLimits(fail_max=1, reset_timeout=0.5, max_open_time=60, jitter=0))],
        on_event=on_event,
    )
    breaker = resync.upstreams["up"].breaker
    under_way: Permit | None = None
    async with resync.lifespan():
        await joined.wait()
        print("joined", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            match line.strip():
                case "ask":
                    permit = breaker.ask()
                    under_way = permit or under_way
                    said = "refused" if permit is None else "admitted"
                case "well":
                    assert under_way is not None
                    under_way.succeeded()
                    said = breaker.state.value
                case "ill":
                    assert under_way is not None
                    under_way.failed(503)
                    said = breaker.state.value
                case "left":
                    said = str(breaker.retry_after)
                case _:
                    said = breaker.state.value
            print(said, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
