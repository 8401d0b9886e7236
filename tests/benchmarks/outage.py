"""What a total outage costs the upstream: a minute at steady load, with and without breaker, budget and bulkhead.

    python -m tests.benchmarks.outage [--real] [--seconds N] [--rate N]

Time is simulated, so it takes seconds; with `--real` the load is real, and so is the upstream: a process, frozen. Every
subject meets every outage with the same load, in which no caller waits for another one. What counts are the calls that
reach the upstream, as a share of the requests, and how many of them are retries, beside what the budget allows.

An upstream that is silent takes in all that is asked until the first timeout: rate × timeout calls, before anybody
can know. A bulkhead bounds these.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx2

from asgi_resync import Breaker, Bulkhead, RetryBudget, RetryPolicy, retrying_transport
from asgi_resync._asgi import Clock
from asgi_resync.breaker.limits import BreakerLimits

from .machine import about
from .report import markdown
from .results import write

LIMITS = BreakerLimits(fail_max=5, reset_timeout=10)
TIMEOUT = 0.25
"""Seconds that callers give the upstream."""

WHOLE = 60.0
"""Seconds from which a real outage is written to RESULTS.md."""

Call = Callable[[httpx2.Request], Awaitable[httpx2.Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """What stands between the load and the upstream."""

    breaker: bool = True
    budget: bool = True
    bulkhead: int | None = None


SUBJECTS: Mapping[str, Guarded] = {
    "retries alone": Guarded(breaker=False, budget=False),
    "budget": Guarded(breaker=False),
    "breaker": Guarded(budget=False),
    "breaker and budget": Guarded(),
    "and a bulkhead of 10": Guarded(bulkhead=10),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it went: `requests` were asked for, `calls` reached the upstream, of which `retries` were not the first."""

    requests: int
    calls: int
    retries: int
    allowed: int
    """The retries that the budget has for so many requests."""

    @property
    def share(self) -> float:
        """The calls per request."""
        return self.calls / self.requests


class Counting(httpx2.AsyncBaseTransport):
    """Counts the calls that reach the upstream, and which of them are for a request that had one before."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.calls = 0
        self.retries = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Hand it on."""
        self.calls += 1
        self.retries += bool(request.extensions.get("seen"))
        request.extensions["seen"] = True
        return await self._call(request)


async def run(guarded: Guarded, call: Call, *, url: str, seconds: float, rate: int, clock: Clock) -> Outcome:
    """Ask *url* *rate* times a second for *seconds*, each time in a task of its own; *call* is the upstream."""
    budget = RetryBudget()
    counting = Counting(call)
    transport = retrying_transport(
        counting,
        policy=RetryPolicy(),
        budget=budget if guarded.budget else RetryBudget(share=1e9),
        breaker=Breaker("up", LIMITS, clock=clock) if guarded.breaker else None,
        bulkhead=Bulkhead(guarded.bulkhead) if guarded.bulkhead is not None else None,
        clock=clock,
    )

    async def ask() -> None:
        timeout = {"connect": TIMEOUT, "read": TIMEOUT, "write": TIMEOUT, "pool": TIMEOUT}
        request = httpx2.Request("GET", url, extensions={"timeout": timeout})
        try:
            response = await transport.handle_async_request(request)
            await response.aread()
            await response.aclose()
        except Exception as error:
            # BreakerOpen, BulkheadFull, timeouts: callers get errors, and that is not what is counted here.
            del error

    began, requests = clock(), round(seconds * rate)
    async with asyncio.TaskGroup() as tasks:
        for number in range(requests):
            await asyncio.sleep(max(0.0, began + number / rate - clock()))
            tasks.create_task(ask())
    windows = -(-seconds // budget.window) + 1
    allowed = int(requests * budget.share + budget.floor * windows)
    return Outcome(requests=requests, calls=counting.calls, retries=counting.retries, allowed=allowed)


async def failing(request: httpx2.Request) -> httpx2.Response:
    """Be an upstream that answers 503 after five milliseconds."""
    await asyncio.sleep(0.005)
    return httpx2.Response(503)


async def silent(request: httpx2.Request) -> httpx2.Response:
    """Be an upstream that says nothing: whoever asks gives up."""
    await asyncio.sleep(TIMEOUT)
    raise httpx2.ReadTimeout("silence", request=request)


OUTAGES: Mapping[str, Call] = {"503": failing, "silence": silent}


async def simulated(guarded: Guarded, outage: str, *, seconds: float = 60.0, rate: int = 100) -> Outcome:
    """Return how *guarded* meets *outage* on the running loop's own time."""
    clock = asyncio.get_running_loop().time
    return await run(guarded, OUTAGES[outage], url="http://up/", seconds=seconds, rate=rate, clock=clock)


async def real(guarded: Guarded, url: str, *, seconds: float, rate: int) -> Outcome:
    """Return how *guarded* meets an upstream at *url* that says nothing, over sockets."""
    clock = asyncio.get_running_loop().time
    async with httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=None)) as inner:
        return await run(guarded, inner.handle_async_request, url=url, seconds=seconds, rate=rate, clock=clock)


def line(outage: str, subject: str, outcome: Outcome) -> str:
    """Return one row of the table."""
    return (
        f"| {outage:8} | {subject:20} | {outcome.requests:8} | {outcome.calls:6} | {outcome.share:7.2%} "
        f"| {outcome.retries:7} | {outcome.allowed:7} |"
    )


HEAD = "| outage   | guarded by           | requests | calls  | share   | retries | allowed |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help="freeze a real process, and take the real time")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=100)
    chosen = parser.parse_args()
    lines = [HEAD, "|" + "|".join("-" * len(part) for part in HEAD.strip("|").split("|")) + "|"]
    print("\n".join(lines), flush=True)

    def tell(text: str) -> None:
        lines.append(text)
        print(text, flush=True)

    if not chosen.real:
        from tests.unit.virtual_time import run_at_once

        for outage in OUTAGES:
            for subject, guarded in SUBJECTS.items():
                found: list[Outcome] = []

                async def one(guarded: Guarded = guarded, outage: str = outage, found: list[Outcome] = found) -> None:
                    found.append(await simulated(guarded, outage, seconds=chosen.seconds, rate=chosen.rate))

                run_at_once(one())
                tell(line(outage, subject, found[0]))
        return
    command = [sys.executable, "-m", "asgi_resync.testing", "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip() + "/twsd/engine/info"
        os.kill(process.pid, signal.SIGSTOP)
        try:
            for subject, guarded in SUBJECTS.items():
                outcome = asyncio.run(real(guarded, url, seconds=chosen.seconds, rate=chosen.rate))
                tell(line("frozen", subject, outcome))
        finally:
            process.kill()
    if chosen.seconds >= WHOLE:
        facts = about("nox -s outage")
        load = f"An upstream frozen for {chosen.seconds:g} s under {chosen.rate} requests a second."
        write(
            "outage",
            "\n\n".join(["## A frozen upstream", markdown(["", ""], list(facts.items())), load, "\n".join(lines)]),
        )


if __name__ == "__main__":
    main()
