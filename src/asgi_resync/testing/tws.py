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
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote

from .._asgi import Clock, Receive, Scope, Send
from .faults import Fault, Faults
from .plan import Plan, iso, sample_plan
from .serve import Server, serve

_PREFIX = re.compile(r"/twsd(?:/v1|/api/v2)?(?=/|\Z)")

Handler: TypeAlias = "Callable[[FakeTWS, Call], object]"


class Problem(Exception):
    """An answer that carries `messages`, as failures of the engine do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Call:
    """One request: the parts of its path that were captured, its query and its body."""

    def __init__(self, captured: tuple[str, ...], query: Mapping[str, list[str]], body: bytes, most: int) -> None:
        self.captured = captured
        self.query = query
        self.body = body
        self.most = most
        """How many items a list may have."""

    def filters(self, name: str) -> Mapping[str, Any]:
        """Return the filter *name* of a query. Raises Problem if the body is none."""
        try:
            document = json.loads(self.body or b"{}")
        except ValueError:
            raise Problem(400, "AWSJCO084E The body is not valid JSON.") from None
        found = document.get("filters", {}).get(name, {}) if isinstance(document, dict) else None
        if not isinstance(found, dict):
            raise Problem(400, f"AWSJCO084E The filter {name} is not an object.")
        return found


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
        if not many.isdigit():
            raise Problem(400, "AWSJCO084E How-Many is not a number.")
        known = False
        for method, pattern, handler in ROUTES:
            found = pattern.fullmatch(path)
            if found is not None:
                known = True
                if method == scope["method"]:
                    return handler(self, Call(tuple(map(unquote, found.groups())), query, body, int(many)))
        raise Problem(405 if known else 404, f"AWSJCO005E There is no {scope['method']} {path}.")


ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(method: str, template: str) -> Callable[[Handler], Handler]:
    """Make a function answer *method* on *template*, in which `{}` stands for one segment."""
    pattern = re.compile(re.escape(template).replace(r"\{\}", "([^/]+)") + "/?")

    def add(handler: Handler) -> Handler:
        ROUTES.append((method, pattern, handler))
        return handler

    return add


def _job(fake: FakeTWS, id_: str) -> Any:  # noqa: ANN401
    job = fake.plan.job(id_)
    if job is None:
        raise Problem(404, f"AWSJPL018E The job {id_} was not found.")
    return job


@route("HEAD", "")
@route("GET", "/engine/info")
def _engine(fake: FakeTWS, call: Call) -> object:
    return {
        "engineName": "tws-engine",
        "engineOwner": "tws-owner",
        "version": "10.2.3",
        "startTime": iso(fake.plan.created),
    }


@route("GET", "/plan/current")
def _current(fake: FakeTWS, call: Call) -> object:
    created = iso(fake.plan.created)
    return {
        "planId": "Symphony",
        "plan_id": "Symphony",
        "creation_date": created,
        "estimated_completion": iso(fake.plan.created + 86400),
        "jobs_count": len(fake.plan.jobs),
        "status": "ACTIVE",
    }


@route("POST", "/plan/current/job/query")
def _job_query(fake: FakeTWS, call: Call) -> object:
    now = fake.clock()
    return [job.in_plan(now) for job in fake.plan.query(call.filters("jobInPlanFilter"))][: call.most]


@route("POST", "/plan/current/criticaljob/query")
def _critical_query(fake: FakeTWS, call: Call) -> object:
    now = fake.clock()
    found = fake.plan.query(call.filters("criticalJobInPlanFilter"), critical=True)
    return [job.in_plan(now) for job in found][: call.most]


@route("POST", "/plan/current/jobstream/query")
def _stream_query(fake: FakeTWS, call: Call) -> object:
    now = fake.clock()
    return [
        {
            "id": f"{jobs[0].workstation};{name}",
            "name": name,
            "status": {"internalStatus": "STUCK" if any(job.state(now) == "ABEND" for job in jobs) else "EXEC"},
            "startTime": iso(min(job.starts for job in jobs)),
            "workstationKey": {"name": jobs[0].workstation},
        }
        for name, jobs in fake.plan.streams(call.filters("jobStreamInPlanFilter"))
    ][: call.most]


@route("POST", "/model/workstation/query")
def _station_query(fake: FakeTWS, call: Call) -> object:
    return [asdict(station) for station in fake.plan.stations(call.filters("workstationFilter"))][: call.most]


@route("GET", "/plan/current/job/{}/joblog")
def _joblog(fake: FakeTWS, call: Call) -> object:
    job = _job(fake, call.captured[0])
    if job.state(fake.clock()) in ("WAIT", "READY", "HOLD"):
        raise Problem(404, f"AWSJPL505E {job.id} has no log yet.")
    return {"log": job.log}


@route("PUT", "/plan/current/job/{}/action/{}")
def _action(fake: FakeTWS, call: Call) -> object:
    job = _job(fake, call.captured[0])
    refusal = job.act(call.captured[1], fake.clock())
    if refusal is not None:
        raise Problem(400, f"AWSJPL706E {refusal}")
    return {}


@route("GET", "/model/workstation")
def _stations(fake: FakeTWS, call: Call) -> object:
    return [asdict(station) for station in fake.plan.workstations]


@route("GET", "/model/jobstream")
def _streams(fake: FakeTWS, call: Call) -> object:
    wanted = {"jobStreamName": call.query.get("key", ["*"])[0]}
    return [{"name": name, "jobs": [job.name for job in jobs]} for name, jobs in fake.plan.streams(wanted)]


@route("GET", "/model/jobdefinition")
def _definitions(fake: FakeTWS, call: Call) -> object:
    now = fake.clock()
    return [_definition(job, now) for job in fake.plan.jobs]


@route("GET", "/model/jobdefinition/{}")
def _one_definition(fake: FakeTWS, call: Call) -> object:
    return _definition(_job(fake, call.captured[0]), fake.clock())


@route("GET", "/model/jobdefinition/{}/log")
def _definition_log(fake: FakeTWS, call: Call) -> object:
    return {"log_content": _job(fake, call.captured[0]).log}


@route("GET", "/plan/current/criticalpath")
def _critical_path(fake: FakeTWS, call: Call) -> object:
    now = fake.clock()
    return {
        "jobs": [
            {"job_id": number, "job_name": job.name, "status": job.state(now), "start_time": iso(job.starts)}
            for number, job in enumerate(fake.plan.query({}, critical=True), 1)
        ]
    }


@route("GET", "/model/resource")
def _resources(fake: FakeTWS, call: Call) -> object:
    return list(fake.plan.resources)


@route("GET", "/plan/job")
def _v2_jobs(fake: FakeTWS, call: Call) -> object:
    now, most = fake.clock(), call.query.get("limit", ["50"])[0]
    return [job.in_plan(now) for job in fake.plan.jobs][: int(most) if most.isdigit() else 50]


@route("GET", "/plan/job/count")
def _v2_count(fake: FakeTWS, call: Call) -> object:
    return {"count": len(fake.plan.jobs)}


@route("GET", "/plan/job/{}")
def _v2_job(fake: FakeTWS, call: Call) -> object:
    return _job(fake, call.captured[0]).in_plan(fake.clock())


def _definition(job: Any, now: float) -> dict[str, Any]:  # noqa: ANN401
    return {
        "id": job.id,
        "name": job.name,
        "workstation": job.workstation,
        "status": job.state(now),
        "job_stream": job.stream,
    }
