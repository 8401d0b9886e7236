"""`python -m asgi_resync demo`: a slow scheduler, made up, behind an app that is wrapped in one line.

It needs no network and no server but uvicorn, and none of the library's other rooms needs it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._asgi import ASGIApp, Clock
from .errors import MissingExtra, SettingsError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
LIFETIME = 10.0
"""Seconds for which a plan is fresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of the plan. `begins` and `lasts` are seconds since the plan was started."""

    name: str
    workstation: str
    begins: float
    lasts: float

    def status(self, elapsed: float) -> str:
        """Return what the scheduler says of it *elapsed* seconds into the plan."""
        if elapsed < self.begins:
            return "READY"
        return "EXEC" if elapsed < self.begins + self.lasts else "SUCC"


JOBS = tuple(
    Job(name=name, workstation=workstation, begins=begins, lasts=lasts)
    for name, workstation, begins, lasts in (
        ("EXTRACT-ORDERS", "MASTER", 0, 20),
        ("EXTRACT-STOCK", "MASTER", 4, 22),
        ("LOAD-WAREHOUSE", "FTA1", 26, 30),
        ("PAYROLL-CALC", "FTA2", 10, 45),
        ("PAYROLL-PRINT", "FTA2", 55, 15),
        ("REPORT-DAILY", "FTA1", 56, 25),
        ("REPORT-WEEKLY", "FTA1", 81, 30),
        ("BACKUP-NIGHT", "MASTER", 111, 40),
    )
)


class SchedulerDown(Exception):
    """The scheduler was stopped."""


class Scheduler:
    """A workload scheduler such as TWS, whose every call takes *latency* seconds."""

    def __init__(self, latency: float = 1.5, clock: Clock = time.monotonic) -> None:
        self.calls = 0
        self.is_up = True
        self._latency = latency
        self._clock = clock
        self._started = clock()

    async def plan(self) -> dict[str, object]:
        """Return the plan as it stands. Raises SchedulerDown while stopped."""
        self.calls += 1
        call = self.calls
        await asyncio.sleep(self._latency)
        if not self.is_up:
            raise SchedulerDown
        elapsed = self._clock() - self._started
        jobs = [{"job": job.name, "on": job.workstation, "status": job.status(elapsed)} for job in JOBS]
        return {"plan": "current", "second": int(elapsed), "call": call, "jobs": jobs}

    def rerun(self) -> None:
        """Start the plan again."""
        self._started = self._clock()


def build(scheduler: Scheduler) -> ASGIApp:
    """Return the app of the demo. Raises SettingsError if RESYNC_* variables cannot be used."""
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, JSONResponse
    from starlette.routing import Route

    from .cache.rules import CacheRule
    from .resync import Resync

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def current(request: Request) -> Response:
        try:
            return JSONResponse(await scheduler.plan())
        except SchedulerDown:
            return JSONResponse({"title": "The scheduler does not answer"}, status_code=503)

    async def rerun(request: Request) -> Response:
        scheduler.rerun()
        await resync.purge(tags=["plan"])
        return JSONResponse({"plan": "current", "rerun": True})

    async def switch(request: Request) -> Response:
        scheduler.is_up = request.path_params["way"] == "start"
        return JSONResponse({"scheduler": "up" if scheduler.is_up else "down"})

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/plan/current", current),
            Route("/plan/rerun", rerun, methods=["POST"]),
            Route("/scheduler/{way}", switch, methods=["POST"]),
        ]
    )
    resync = Resync.from_env(
        rules=[
            CacheRule("/plan/{rest:path}", ttl=LIFETIME, stale_while_revalidate=30, stale_if_error=300, tags=["plan"])
        ]
    )
    return resync(app)


def main(argv: Sequence[str]) -> int:
    """Serve the demo until it is interrupted; 0, or 2 with one line of explanation if it cannot be served."""
    options = _parser().parse_args(argv)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            _serve(build(Scheduler(options.latency)), options.port)
    except (MissingExtra, PortTaken, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m asgi_resync demo", description="A slow scheduler, cached.")
    parser.add_argument("--port", type=_port, default=8000, help="where to listen; 0 takes any free port (8000)")
    parser.add_argument("--latency", type=_seconds, default=1.5, help="seconds a call of the scheduler takes (1.5)")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number of 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (seconds := float(text)) <= 60:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no duration; give seconds of 0 to 60")


class PortTaken(Exception):
    """The demo cannot listen where it was asked to."""

    def __init__(self, port: int, cause: OSError) -> None:
        other = port + 1 if 1024 <= port < 65535 else 8000
        super().__init__(
            f"Cannot listen on {HOST}:{port} ({cause.strerror or cause}). "
            f"Choose another port: python -m asgi_resync demo --port {other}"
        )


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        # Only elsewhere: on Windows this option would let two servers share a port.
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortTaken(port, error) from error
    return listener


def _serve(app: ASGIApp, port: int) -> None:
    try:
        import uvicorn
    except ImportError:
        raise MissingExtra("The demo", "uvicorn", "demo") from None
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with _listen(port) as listener:
        print(GUIDE.format(url=f"http://{HOST}:{listener.getsockname()[1]}"), flush=True)
        server.run(sockets=[listener])


GUIDE = """\
A slow scheduler, wrapped in one line, serves its plan at {url}/plan/current

  Twice: the first call waits for the scheduler, the second comes from memory.
    curl -i {url}/plan/current

  With the ETag of the last answer: 304, and no body.
    curl -i -H 'If-None-Match: "..."' {url}/plan/current

  After 10 seconds, and within 40: the stale plan at once, a new one for whoever asks next.
    sleep 11; curl -i {url}/plan/current; sleep 2; curl -i {url}/plan/current

  The plan starts again, and what was stored of it is purged by its tag.
    curl -i -X POST {url}/plan/rerun

  The scheduler fails: for 5 minutes the last plan it gave is served instead. Then it is back.
    curl -i -X POST {url}/scheduler/stop
    curl -i -X POST {url}/scheduler/start

Or watch it in a browser: {url}/
Ctrl-C ends the demo.
"""

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>asgi-resync demo</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --fg: #1c2128; --dim: #667080; --bg: #f5f6f8; --card: #fff; --line: #e3e6eb;
  --ready: #8a94a3; --exec: #b7791f; --succ: #0f8a6a; --bad: #c0392b }
@media (prefers-color-scheme: dark) { :root { --fg: #e6e9ee; --dim: #8b95a5; --bg: #12151a; --card: #1a1f26;
  --line: #2a313b; --ready: #7b8696; --exec: #e0a94a; --succ: #3ccba4; --bad: #f07167 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 46rem; padding: 2.5rem 1.25rem; background: var(--bg); color: var(--fg);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.35rem; margin: 0 } p { color: var(--dim); margin: .25rem 0 1.5rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin-bottom: .75rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .8rem 1rem }
.card small { display: block; color: var(--dim) }
.card b { font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums }
code { font: 13px/1.6 ui-monospace, monospace; overflow-wrap: anywhere }
.bar { height: 4px; border-radius: 2px; background: var(--line); overflow: hidden; margin-top: .5rem }
.bar i { display: block; height: 100%; background: var(--succ); transition: width .4s linear }
table { width: 100%; border-collapse: collapse } td { padding: .45rem 0; border-top: 1px solid var(--line) }
tr:first-child td { border: 0 } td:nth-child(2) { color: var(--dim) } td:last-child { text-align: right }
.READY { color: var(--ready) } .EXEC { color: var(--exec) } .SUCC { color: var(--succ) } .bad { color: var(--bad) }
.EXEC::before { content: "● "; animation: pulse 1.2s infinite } @keyframes pulse { 50% { opacity: .25 } }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0 } nav button { font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .4rem .9rem; cursor: pointer }
nav button:hover { border-color: var(--dim) }
</style>
<h1>The plan of a slow scheduler</h1>
<p>This page asks for it every second. The scheduler, slow in every call, hears of few.</p>
<div class="tiles">
  <div class="card"><small>answered by</small><b id="source">…</b></div>
  <div class="card"><small>in</small><b id="took">…</b></div>
  <div class="card"><small>age</small><b id="age">…</b><div class="bar"><i id="left" style="width:0"></i></div></div>
  <div class="card"><small>requests / calls</small><b id="calls">…</b></div>
</div>
<div class="card"><small>Cache-Status</small><code id="status">…</code></div>
<nav>
  <button data-post="/plan/rerun">Rerun and purge</button>
  <button data-post="/scheduler/stop">Stop the scheduler</button>
  <button data-post="/scheduler/start">Start the scheduler</button>
</nav>
<div class="card"><table id="jobs"></table></div>
<script>
const show = (id, text) => document.getElementById(id).textContent = text;
let asked = 0, waiting = false;
async function look() {
  if (waiting || document.hidden) return;
  waiting = true;
  const began = performance.now();
  try {
    const answer = await fetch("/plan/current", {cache: "no-store"});
    const body = await answer.json(), took = performance.now() - began;
    const status = answer.headers.get("cache-status") ?? "", age = answer.headers.get("age");
    asked += 1;
    show("source", !answer.ok ? "an error" : !status.includes("; hit") ? "the scheduler"
      : status.includes("stale") ? "memory, stale" : "memory");
    document.getElementById("source").className = answer.ok ? "" : "bad";
    show("took", took < 10 ? took.toFixed(1) + " ms" : Math.round(took) + " ms");
    show("age", (age ?? 0) + " s");
    document.getElementById("left").style.width = Math.max(0, 100 - (age ?? 0) * 10) + "%";
    show("status", status || "–");
    if (answer.ok) {
      show("calls", asked + " / " + body.call);
      document.getElementById("jobs").replaceChildren(...body.jobs.map(job => {
        const row = document.createElement("tr");
        for (const text of [job.job, job.on, job.status]) row.insertCell().textContent = text;
        row.lastChild.className = job.status;
        return row;
      }));
    }
  } catch { show("source", "nobody"); } finally { waiting = false; }
}
for (const button of document.querySelectorAll("[data-post]"))
  button.onclick = () => fetch(button.dataset.post, {method: "POST"}).then(look);
look();
setInterval(look, 1000);
</script>
</html>
"""
