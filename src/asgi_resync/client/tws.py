"""HCL Workload Automation as an upstream: its documented REST calls, typed. It knows neither HTTP library.

Give it a client of `Upstream.client()`, or any AsyncClient whose base URL ends in the context root (`/twsd`).
What the engine adds to its answers in later versions is ignored; what it leaves out has a default.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec

from ..errors import BadAnswer, RuleError
from .core import OPT

Action: TypeAlias = Literal["rerun", "cancel", "hold", "release"]

ACTIONS: tuple[Action, ...] = ("rerun", "cancel", "hold", "release")

T = TypeVar("T")


class Named(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something by its name."""

    name: str = ""


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`internal_status` is a word such as EXEC, SUCC or ABEND; `status` the coarser one, such as RUNNING."""

    internal_status: str = ""
    status: str = ""


class StreamInPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job stream that a job in the plan belongs to; `start_time` as the engine writes it, in ISO 8601."""

    name: str = ""
    start_time: str | None = None
    workstation_key: Named = Named()


class JobKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a job is defined."""

    name: str = ""
    workstation_in_plan_key: Named = Named()


class JobDefinition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The definition behind a job in the plan."""

    job_definition_in_plan_key: JobKey = JobKey()


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One job in the plan."""

    id: str
    name: str = ""
    status: JobStatus = JobStatus()
    job_definition: JobDefinition = JobDefinition()
    job_stream_in_plan: StreamInPlan = StreamInPlan()

    @property
    def workstation(self) -> str:
        """The name of the workstation it runs on."""
        return self.job_definition.job_definition_in_plan_key.workstation_in_plan_key.name


class JobStream(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One job stream in the plan."""

    id: str = ""
    name: str = ""
    status: JobStatus = JobStatus()
    start_time: str | None = None
    workstation_key: Named = Named()


class DefinedStream(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One job stream of the model."""

    id: str = ""
    name: str = ""


class Workstation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One workstation of the model."""

    name: str
    type: str = ""
    status: str = ""


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the engine says of itself."""

    engine_name: str = ""
    engine_owner: str = ""
    version: str = ""


class _Log(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    log: str = ""


class Answer(Protocol):
    """A response as httpx and httpx2 have it."""

    @property
    def content(self) -> bytes: ...
    def raise_for_status(self) -> object: ...


class AsyncClient(Protocol):
    """A client as httpx and httpx2 have it."""

    @property
    def request(self) -> Callable[..., Awaitable[Answer]]: ...


class TWS:
    """The documented calls of the engine behind *client*.

    Each raises what the client raises, its HTTPStatusError for 4xx and 5xx, and BadAnswer for an answer that is not
    of the documented shape. Queries are POST and change nothing, so they are retried as reads are; actions are not.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def engine_info(self) -> EngineInfo:
        """Return what the engine says of itself; it serves as a health check."""
        return await self._ask("GET", "engine/info", EngineInfo)

    async def jobs(
        self,
        name: str = "*",
        *,
        stream: str | None = None,
        workstation: str | None = None,
        input_arrival_time: str | None = None,
        last_in_rerun_chain: bool | None = None,
        columns: Sequence[str] = (),
        how_many: int = 500,
    ) -> list[Job]:
        """Return up to *how_many* jobs of the current plan; names may hold `*`. An empty list means no match.

        *input_arrival_time* is as the engine writes times, in ISO 8601; *last_in_rerun_chain* leaves out the runs that
        were followed by a rerun.
        """
        filters = {
            "jobName": name,
            "jobStreamName": stream,
            "workstationName": workstation,
            "inputArrivalTime": input_arrival_time,
            "lastInRerunChain": last_in_rerun_chain,
        }
        return await self._query("plan/current/job/query", "jobInPlanFilter", filters, list[Job], how_many, columns)

    async def critical_jobs(self, name: str = "*", *, how_many: int = 500) -> list[Job]:
        """Return up to *how_many* critical jobs of the current plan."""
        path = "plan/current/criticaljob/query"
        return await self._query(path, "criticalJobInPlanFilter", {"jobName": name}, list[Job], how_many)

    async def job_streams(
        self, name: str = "*", *, workstation: str | None = None, how_many: int = 500
    ) -> list[JobStream]:
        """Return up to *how_many* job streams of the current plan."""
        filters = {"jobStreamName": name, "workstationName": workstation}
        path = "plan/current/jobstream/query"
        return await self._query(path, "jobStreamInPlanFilter", filters, list[JobStream], how_many)

    async def workstations(self, name: str = "*", *, how_many: int = 500) -> list[Workstation]:
        """Return up to *how_many* workstations of the model."""
        filters = {"workstationName": name}
        return await self._query("model/workstation/query", "workstationFilter", filters, list[Workstation], how_many)

    async def defined_streams(self, name: str) -> list[DefinedStream]:
        """Return the job streams of the model that have *name*."""
        return await self._ask("GET", "model/jobstream", list[DefinedStream], params={"key": name})

    async def run_cycles(self, stream_id: str, start: str, end: str) -> object:
        """Return when a job stream of the model is to run, from *start* to *end*, both in ISO 8601.

        It is JSON as the engine writes it: its shape is not documented.
        """
        path = f"model/jobstream/{_segment(stream_id)}/rc-evaluation"
        return await self._ask("GET", path, object, params={"from": start, "to": end})

    async def job_log(self, job_id: str) -> str:
        """Return the log of a job."""
        return (await self._ask("GET", f"plan/current/job/{_segment(job_id)}/joblog", _Log)).log

    async def act(self, job_id: str, action: Action) -> None:
        """Let the engine `rerun`, `cancel`, `hold` or `release` a job. It is never sent twice on its own."""
        if action not in ACTIONS:
            raise RuleError("action", action, f"give one of {', '.join(ACTIONS)}")
        path = f"plan/current/job/{_segment(job_id)}/action/{action}"
        # PUT is idempotent by its definition (RFC 9110 §9.2.2), and a rerun is not.
        response = await self._client.request("PUT", path, json={}, extensions={OPT: False})
        response.raise_for_status()

    async def _query(
        self,
        path: str,
        filter_name: str,
        filters: Mapping[str, str | bool | None],
        kind: type[T],
        how_many: int,
        columns: Sequence[str] = (),
    ) -> T:
        given = {name: value for name, value in filters.items() if value is not None}
        document: dict[str, object] = {"filters": {filter_name: given}}
        if columns:
            document["columns"] = list(columns)
        return await self._ask(
            "POST", path, kind, json=document, headers={"How-Many": str(how_many)}, extensions={OPT: True}
        )

    async def _ask(self, method: str, path: str, kind: type[T], **options: Any) -> T:  # noqa: ANN401 - the client's own
        response = await self._client.request(method, path, **options)
        response.raise_for_status()
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError as error:
            raise BadAnswer(f"{method} {path}", str(error)) from error


def _segment(text: str) -> str:
    """Return *text* as one segment of a path. Raises RuleError for what would lead elsewhere (RFC 3986 §5.2.4)."""
    if text in ("", ".", ".."):
        raise RuleError("id", text, "give the id that the engine gave")
    return quote(text, safe="")
