"""A small world to try interleavings in: an app that remembers each call, and overlapping requests. It asserts nothing.

Every call of the app gets a number. The number is in the body and in the field `x-call`, so that whatever a client is
given can be traced to the calls that it came from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from tests.unit.caching import Cached, cached, turns

from asgi_resync._asgi import Message, Receive, Scope, Send
from asgi_resync.testing import Response, response_of


def uri_of(scope: Scope) -> str:
    """Path and query of a request."""
    return f"{scope['path']}?{scope['query_string'].decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the app answers to one call."""

    control: str
    vary: str = ""
    cookie: bool = False
    etag: bool = False
    status: int = 200
    parts: int = 1
    dies: bool = False
    waits: bool = True
    """Whether the app goes on only when it is released."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of the app: who asked for what, when, and what the answer was."""

    number: int
    step: int
    user: str
    scope: Scope
    started: float
    behaviour: Behaviour
    validated: bool = False
    """True if it was answered by 304."""
    has_body: bool = False
    answered: int = 0
    """The step at which the app began to answer."""

    def sent(self, name: bytes) -> bytes | None:
        return dict(self.scope["headers"]).get(name)

    @property
    def selecting(self) -> tuple[bytes | None, ...]:
        """What the representation depended on."""
        return self.sent(b"x-a"), self.sent(b"x-b")


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request of a client, and what came of it."""

    step: int
    user: str
    scope: Scope
    task: asyncio.Task[None]
    messages: list[Message]
    called: list[int]
    """The calls that were made for this request itself."""
    served_at: float = 0.0

    @property
    def response(self) -> Response:
        return response_of(self.messages)

    def sent(self, name: bytes) -> bytes | None:
        return dict(self.scope["headers"]).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A user sends a request."""

    user: str
    method: str = "GET"
    path: str = "/a"
    authorized: bool = False
    has_body: bool = False
    """Whether it has a body that no field announces, as HTTP/2 allows."""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Release:
    """The app goes on with one of its calls."""

    which: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """One of the requests is cancelled."""

    which: int


@dataclass(frozen=True, slots=True)
class Purge:
    """Somebody purges."""

    how: str


Step = Ask | Wait | Release | Cancel | Purge


@dataclass(slots=True)
class World:
    """The app with its memory, behind a cache, and all that was asked of it."""

    behaviours: Sequence[Behaviour]
    site: Cached = field(init=False)
    calls: list[Call] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    purges: list[tuple[int, str | None]] = field(default_factory=list)
    """The step of each purge or success of an unsafe request, and the URI that it was about; None for all."""
    step: int = 0
    _held: list[asyncio.Event] = field(default_factory=list)
    _is_over: bool = False

    def serve(self, **options: object) -> None:
        self.site = cached(self._app, **options)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        number = len(self.calls)
        behaviour = self.behaviours[number % len(self.behaviours)]
        user = headers.get(b"x-user", b"").decode()
        call = Call(
            number=number,
            step=self.step,
            user=user,
            scope=dict(scope),
            started=self.site.clock(),
            behaviour=behaviour,
        )
        self.calls.append(call)
        call.has_body = bool((await receive())["body"])
        asked = int(headers.get(b"x-asked", b"-1"))
        if asked >= 0:
            self.asked[asked].called.append(number)
        if behaviour.waits and not self._is_over:
            gate = asyncio.Event()
            self._held.append(gate)
            await gate.wait()
        if scope["method"] == "POST" and behaviour.status < 400:
            self.purges.append((self.step, uri_of(scope)))
        lines = [(b"cache-control", behaviour.control.encode()), (b"x-call", b"%d" % number)]
        if behaviour.vary:
            lines.append((b"vary", behaviour.vary.encode()))
        if behaviour.cookie:
            lines.append((b"set-cookie", f"session={user}".encode()))
        call.answered = self.step
        if behaviour.etag:
            # The representation depends on both fields, whichever of them the answer names.
            etag = b'"%b-%b"' % (headers.get(b"x-a", b"none"), headers.get(b"x-b", b"none"))
            lines.append((b"etag", etag))
            if etag in headers.get(b"if-none-match", b""):
                call.validated = True
                await send({"type": "http.response.start", "status": 304, "headers": lines})
                await send({"type": "http.response.body", "body": b""})
                return
        await send({"type": "http.response.start", "status": behaviour.status, "headers": lines})
        for part in range(1, behaviour.parts):
            await send({"type": "http.response.body", "body": b"%d-%d;" % (number, part), "more_body": True})
            await asyncio.sleep(0)
        if behaviour.dies:
            raise RuntimeError("the app dies")
        await send({"type": "http.response.body", "body": b"%d;" % number})

    def _begin(self, ask: Ask) -> None:
        index = len(self.asked)
        target, _, query = ask.path.partition("?")
        headers = [("host", "world"), ("x-user", ask.user), ("x-asked", str(index)), *ask.fields]
        if ask.authorized:
            headers.append(("authorization", f"Bearer {ask.user}"))
        scope: Scope = {
            "type": "http",
            "method": ask.method,
            "scheme": "http",
            "path": target,
            "raw_path": target.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers],
            "server": ("world", 80),
            "client": None,
            "extensions": {},
        }
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"body" if ask.has_body else b"", "more_body": False}

        async def send(message: Message) -> None:
            if not messages:
                asked.served_at = self.site.clock()
            messages.append(dict(message))

        async def run() -> None:
            await self.site.app(dict(scope), receive, send)

        task = asyncio.get_running_loop().create_task(run())
        asked = Asked(step=self.step, user=ask.user, scope=scope, task=task, messages=messages, called=[])
        self.asked.append(asked)

    async def live(self, steps: Sequence[Step]) -> None:
        """Take all *steps*, then let everything come to its end."""
        for self.step, step in enumerate(steps, 1):
            match step:
                case Ask():
                    self._begin(step)
                case Wait(seconds=seconds):
                    self.site.clock.advance(seconds)
                case Release(which=which):
                    waiting = [gate for gate in self._held if not gate.is_set()]
                    if waiting:
                        waiting[which % len(waiting)].set()
                case Cancel(which=which):
                    if self.asked:
                        self.asked[which % len(self.asked)].task.cancel()
                case Purge(how=how):
                    self.purges.append((self.step, None))
                    if how == "everything":
                        await self.site.cache.purge(everything=True)
                    else:
                        await self.site.cache.purge(urls=["http://world/a", "http://world/b", "http://world/a?q=1"])
            await turns(10)
        self.step = len(steps) + 1
        self._is_over = True
        for gate in self._held:
            gate.set()
        await asyncio.gather(*(asked.task for asked in self.asked), return_exceptions=True)
        await self.site.cache.settle(5)


USERS = ("alice", "bob")

ONE_FIELD = [("x-a", "1"), ("x-a", "2"), ("x-b", "1"), ("accept-language", "de"), ("cookie", "c=1")]
FIELDS = st.sampled_from([(), (), (), (), (), *((pair,) for pair in ONE_FIELD), (("x-a", "1"), ("x-b", "1"))])

WAITS = st.sampled_from([0.5, 1, 5, 9, 30]).map(Wait)
RELEASES = st.integers(0, 9).map(Release)
CANCELS = st.integers(0, 9).map(Cancel)
PURGES = st.sampled_from(["everything", "urls"]).map(Purge)


def steps_of(asks: st.SearchStrategy[Ask]) -> st.SearchStrategy[list[Step]]:
    """Sequences of steps, most of them requests; what all examples shrink to is a single one."""
    kinds: dict[str, st.SearchStrategy[Step]] = {
        "ask": asks, "release": RELEASES, "wait": WAITS, "cancel": CANCELS, "purge": PURGES
    }  # fmt: skip
    weights = ["ask"] * 12 + ["release"] * 6 + ["wait"] * 2 + ["cancel", "purge"]
    one = st.sampled_from(weights).flatmap(lambda kind: kinds[kind])
    return st.integers(2, 25).flatmap(lambda count: st.lists(one, min_size=count, max_size=count))
