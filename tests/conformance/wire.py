"""Plays cases over sockets on 127.0.0.1: a client, a cache that serves, and a raw origin. Time is real here."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import h11
import uvicorn
from tests.conformance.inprocess import Wrap, resync
from tests.conformance.judge import Seen, Verdict, judge
from tests.conformance.model import NUMBER, Case, Exchange, Fault, Place
from tests.conformance.origin import Answer, Play
from tests.differential.proxy import ReverseProxy

LONGEST_PAUSE = 3.0
AT_ONCE = 60
"""Cases that are played at the same time; each has URIs of its own."""
PATIENCE = 15.0
LARGEST = 2**20
HOST = "127.0.0.1"


class Subject(Protocol):
    """A cache that serves over sockets, in front of an origin."""

    @property
    def name(self) -> str: ...

    async def start(self, origin_port: int, settings: Iterable[Mapping[str, str]]) -> None:
        """Serve, once for each of *settings* if they mean something to it."""

    def port(self, settings: Mapping[str, str]) -> int:
        """Where it serves under *settings*."""

    async def stop(self) -> None: ...


# --- the origin ------------------------------------------------------------------------------------------------------


class RawOrigin:
    """Plays the origin of every case, told apart by the first two segments of the path. Writes bytes as scripted."""

    def __init__(self) -> None:
        self.plays: dict[str, Play] = {}

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=LARGEST)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._answer(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        fields = tuple((name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in head[1:-2]))
        await _read_content(reader, fields)
        play = self.plays.get("/".join(target.partition("?")[0].split("/")[:3]))
        if play is None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            answer = play.answer(method, fields, time.time())
            await asyncio.sleep(answer.delay)
            if answer.fault is not Fault.CLOSE:
                writer.write(_render(answer))
        await writer.drain()


async def _read_content(reader: asyncio.StreamReader, fields: Iterable[tuple[str, str]]) -> None:
    given = {name.lower(): value for name, value in fields}
    if "content-length" in given:
        await reader.readexactly(int(given["content-length"]))
    elif "chunked" in given.get("transfer-encoding", ""):
        while (size := int(await reader.readline(), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()


def _render(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in answer.fields)]
    body = answer.body
    if answer.fault is Fault.CUT_CHUNKED:
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n" % (len(body), body)
    elif answer.length is not None and not any(name.lower() == "content-length" for name, _ in answer.fields):
        lines.append(f"Content-Length: {answer.length}")
    lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


# --- the client ------------------------------------------------------------------------------------------------------


async def ask(port: int, number: int, exchange: Exchange, place: Place) -> Seen:
    """Send the request of *exchange* to *port* and return what comes back, however broken."""
    fields = list(place.fields(exchange.send, time.time()))
    if not any(name.lower() == "host" for name, _ in fields):
        fields.insert(0, ("Host", place.host))
    if exchange.content:
        fields.append(("Content-Length", str(len(exchange.content))))
    fields += [(NUMBER, str(number)), ("Connection", "close")]
    headers = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    request = h11.Request(method=exchange.method, target=place.path + exchange.path, headers=headers)
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST)
    reader, writer = await asyncio.open_connection(HOST, port, limit=LARGEST)
    try:
        for event in (request, h11.Data(data=exchange.content), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()
        return await _read(reader, connection)
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, connection: h11.Connection) -> Seen:
    status, fields, body, broken = 0, [], [], ""
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(LARGEST))
            elif isinstance(event, h11.Response):
                status = event.status_code
                fields = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                break
    except (h11.RemoteProtocolError, OSError) as error:
        broken = repr(error)
    return Seen(status=status or 502, fields=tuple(fields), body=b"".join(body), broken=broken)


# --- our own subject -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Serving:
    server: uvicorn.Server
    task: asyncio.Task[None]
    port: int


class Uvicorn:
    """This library around the reverse proxy, under uvicorn: one server for each of the settings."""

    name = "asgi-resync"

    def __init__(self, wrap: Wrap = resync) -> None:
        self._wrap = wrap
        self._serving: dict[frozenset[tuple[str, str]], _Serving] = {}

    async def start(self, origin_port: int, settings: Iterable[Mapping[str, str]]) -> None:
        for each in settings:
            app = self._wrap(each, time.time, ReverseProxy(HOST, origin_port))
            config = uvicorn.Config(
                app, host=HOST, port=0, http="h11", log_level="critical", date_header=False, server_header=False,
                timeout_graceful_shutdown=1,
            )  # fmt: skip
            server = uvicorn.Server(config)
            # Not `serve()`: it would take the signals of the process for itself.
            task = asyncio.create_task(server._serve())
            while not server.started:
                if task.done():
                    raise RuntimeError("uvicorn did not start") from task.exception()
                await asyncio.sleep(0.01)
            port = int(server.servers[0].sockets[0].getsockname()[1])
            self._serving[frozenset(each.items())] = _Serving(server, task, port)

    def port(self, settings: Mapping[str, str]) -> int:
        return self._serving[frozenset(settings.items())].port

    async def stop(self) -> None:
        for serving in self._serving.values():
            serving.server.should_exit = True
        for serving in self._serving.values():
            await asyncio.wait_for(serving.task, PATIENCE)


# --- the play --------------------------------------------------------------------------------------------------------

Progress = Callable[[str], None]


def to_stderr(text: str) -> None:
    """Overwrite the last line of a terminal, or add one to a log."""
    end = "" if sys.stderr.isatty() else "\n"
    print(f"\r{text}" if sys.stderr.isatty() else text, end=end, file=sys.stderr, flush=True)


def playable(cases: Iterable[Case]) -> list[Case]:
    """Return those of *cases* that can be played over sockets within bearable time."""
    return [
        case for case in cases if case.on_wire and all(exchange.pause <= LONGEST_PAUSE for exchange in case.exchanges)
    ]


async def play_all(cases: Sequence[Case], subject: Subject, progress: Progress = to_stderr) -> list[Verdict]:
    """Play *cases* against *subject*, and what fails once more: a machine under load makes its own delays."""
    origin = RawOrigin()
    origin_port = await origin.start()
    settings = {frozenset(case.settings.items()): case.settings for case in cases}
    try:
        await subject.start(origin_port, settings.values())
        verdicts = {verdict.case.id: verdict for verdict in await _round(cases, subject, origin, "a", progress)}
        failed = [case for case in cases if not verdicts[case.id].passed]
        again = await _round(failed, subject, origin, "b", progress)
        verdicts.update({verdict.case.id: verdict for verdict in again})
    finally:
        await subject.stop()
        await origin.stop()
    return [verdicts[case.id] for case in cases]


async def _round(
    cases: Sequence[Case], subject: Subject, origin: RawOrigin, token: str, progress: Progress
) -> list[Verdict]:
    room = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def play(case: Case) -> Verdict:
        nonlocal done
        async with room:
            verdict = await _play_case(case, subject, origin, token)
        done += 1
        if done % 100 == 0 or done == len(cases):
            progress(f"{subject.name}: {done} of {len(cases)} cases{' again' if token == 'b' else ''}  ")
        return verdict

    return list(await asyncio.gather(*(play(case) for case in cases)))


async def _play_case(case: Case, subject: Subject, origin: RawOrigin, token: str) -> Verdict:
    port = subject.port(case.settings)
    place = Place(path=f"/{token}/{case.id}", host=f"{HOST}:{port}", start=float(int(time.time())))
    play = origin.plays[place.path] = Play(case=case, place=place)
    seen: list[Seen] = []
    for number, exchange in enumerate(case.exchanges, 1):
        try:
            async with asyncio.timeout(PATIENCE):
                seen.append(await ask(port, number, exchange, place))
        except (TimeoutError, OSError) as error:
            seen.append(Seen(status=504, fields=(), body=b"", broken=repr(error)))
        await asyncio.sleep(max(exchange.pause, 0.02))
    return judge(play, seen)
