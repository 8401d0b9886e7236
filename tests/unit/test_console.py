"""The console: who is let in, what is shown, and what orders do, by its page, its API, and as Fastly has it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.responses import Response as StarletteResponse

from asgi_resync import BreakerRule, CacheRule, Resync, RuleError, Settings, Upstream, telemetry
from asgi_resync.console import Auth, Console
from asgi_resync.console.stream import INTERVAL, LASTS
from asgi_resync.resources.health import Health
from asgi_resync.testing import ManualClock, Reply, Response, ScriptedApp, request

TOKEN = "0123456789abcdefghij"
BEARER = ("authorization", f"Bearer {TOKEN}")
JSON = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")
HOST = ("host", "shop.example")


def basic(text: str) -> tuple[str, str]:
    return "authorization", "Basic " + base64.b64encode(text.encode()).decode()


class Shop:
    """An app that is cached, with a console that everybody may use."""

    def __init__(self, **more: object) -> None:
        self.clock = ManualClock()
        self.recorder = telemetry.Recorder(clock=self.clock)
        self.inner = ScriptedApp(*[Reply(body=b"%d" % number) for number in range(9)])
        self.resync = Resync(
            rules=[
                CacheRule("/plan/{name}", ttl=60, tags=["plan"], upstreams=["tws"]),
                BreakerRule("/live", upstreams=["tws"]),
            ],
            upstreams=[Upstream("tws")],
            on_event=self.recorder,
            clock=self.clock,
        )
        self.console = Console(self.resync, recorder=self.recorder, insecure=True, clock=self.clock)
        self.app = self.resync(self.inner)

    async def get(self, path: str = "/plan/a") -> bytes:
        return (await request(self.app, path=path, headers=[HOST])).body

    async def post(self, path: str, body: object = None, *more: tuple[str, str]) -> Response:
        sent = b"" if body is None else json.dumps(body).encode()
        return await request(self.console, "POST", path, headers=[HOST, JSON, *more], body=sent)

    async def submit(self, path: str, form: str, *more: tuple[str, str]) -> Response:
        return await request(self.console, "POST", path, headers=[HOST, FORM, *more], body=form.encode())


def answer(response: Response) -> tuple[int, Mapping[str, object]]:
    return response.status, json.loads(response.body)


# Who is let in


def test_it_refuses_to_be_made_where_nobody_is_said_to_be_let_in() -> None:
    """One error, that names the three ways, and the variable."""
    with pytest.raises(RuleError, match=r"RESYNC_CONSOLE_TOKEN.*token=.*auth=.*insecure=True"):
        Console(Resync())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"token": "short"}, "token"),
        ({"token": TOKEN, "insecure": True}, "insecure"),
        ({"recorder": print, "insecure": True}, "recorder"),
    ],
)
def test_wrong_arguments_are_told_by_name(arguments: dict[str, object], named: str) -> None:
    """And a token is not told at all."""
    with pytest.raises(RuleError, match=rf"\A{named}=") as caught:
        Console(Resync(), **arguments)  # type: ignore[arg-type] # wrong on purpose

    assert "short" not in str(caught.value)


def test_it_takes_the_resync_and_not_the_app() -> None:
    """The likely mistake is told."""
    resync = Resync()
    with pytest.raises(RuleError, match="give the Resync itself"):
        Console(resync(ScriptedApp()), insecure=True)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (BEARER, 200),
        (("authorization", f"bearer  {TOKEN} "), 200),
        (basic(f"anybody:{TOKEN}"), 200),
        (("fastly-key", TOKEN), 200),
        (basic(f"{TOKEN}:"), 401),
        (("authorization", "Basic not base64"), 401),
        (("authorization", "Basic " + base64.b64encode(b"\xff\xfe").decode()), 401),
        (("authorization", f"Bearer {TOKEN}x"), 401),
        (("authorization", "Bearer ä"), 401),
        (("authorization", TOKEN), 401),
        (("x", "y"), 401),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/status", "/api/graph/", "/console.js", "/nowhere"])
async def test_who_has_the_token_is_let_in(path: str, header: tuple[str, str], status: int) -> None:
    """As a bearer, as a password, as Fastly has it; what is not there is not there for anybody."""
    console = Console(Resync(Settings(console_token=TOKEN)))
    response = await request(console, path=path, headers=[header, HOST])

    assert (404 if path == "/nowhere" else status) == response.status
    if response.status == 401:
        assert (response.header("www-authenticate") or "").startswith("Basic realm=")
        assert TOKEN.encode() not in response.body


@pytest.mark.parametrize(
    ("said", "status"),
    [(True, 200), (False, 403), (None, 403), (1, 403), (RedirectResponse("/login"), 307)],
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_callable_decides(said: object, status: int, is_async: bool) -> None:
    """Sync or async; only True is yes."""

    def auth(request: Request) -> bool | StarletteResponse:
        return said  # type: ignore[return-value] # wrong on purpose, in part

    async def later(request: Request) -> bool | StarletteResponse:
        return auth(request)

    given: Auth = later if is_async else auth
    console = Console(Resync(), auth=given)

    assert status == (await request(console, path="/api/status", headers=[HOST])).status


async def test_a_token_lets_in_beside_a_callable() -> None:
    """People log in, programs have a token."""
    console = Console(Resync(), auth=lambda request: False, token=TOKEN)

    assert 200 == (await request(console, path="/api/status", headers=[BEARER])).status
    assert 401 == (await request(console, path="/api/status")).status


@pytest.mark.parametrize(
    ("headers", "is_taken"),
    [
        ([], True),
        ([("origin", "http://shop.example")], True),
        ([("origin", "http://SHOP.example")], True),
        ([("sec-fetch-site", "same-origin"), ("origin", "http://behind.proxy")], True),
        ([("sec-fetch-site", "none")], True),
        ([("origin", "http://evil.example")], False),
        ([("origin", "null")], False),
        ([("sec-fetch-site", "cross-site")], False),
        ([("sec-fetch-site", "same-site"), ("origin", "http://shop.example")], False),
    ],
)
@pytest.mark.parametrize("path", ["/purge", "/purge/plan", "/purge_all", "/api/purge", "/reload", "/breakers/tws"])
async def test_what_another_site_sends_changes_nothing(
    path: str, headers: list[tuple[str, str]], is_taken: bool
) -> None:
    """A browser that knows the password sends it with whatever any page makes it send."""
    shop = Shop()
    response = await request(shop.console, "POST", path, headers=[HOST, *headers])

    assert is_taken is (response.status != 403)


async def test_every_answer_is_sealed() -> None:
    """Not kept, not framed, and nothing in it comes from elsewhere."""
    shop = Shop()
    for path in ("/", "/api/status", "/nowhere", "/console.css"):
        response = await request(shop.console, path=path, headers=[HOST])

        assert "no-store" == response.header("cache-control")
        assert "default-src 'none'" in (response.header("content-security-policy") or "")
        assert "DENY" == response.header("x-frame-options")
    page = (await request(shop.console, headers=[HOST])).body.decode()

    assert "http" not in page.replace("http://www.w3.org", "")
    assert "style=" not in page
    assert "<script>" not in page


# What is shown


async def test_the_status_has_all_that_there_is() -> None:
    """As JSON, by names that stay."""
    shop = Shop()
    await shop.get()
    await shop.get()
    status, found = answer(await request(shop.console, path="/api/status", headers=[HOST]))

    assert 200 == status
    assert {"version", "process", "health", "recording", "graph"} == found.keys()
    assert isinstance(found["recording"], dict)
    assert 0.5 == found["recording"]["answers"]["hit_ratio"]
    assert isinstance(found["graph"], dict)
    assert {"kind": "route", "name": "/plan/{name}"} in found["graph"]["nodes"]


@pytest.mark.parametrize(
    ("form", "kind", "start"),
    [("json", "application/json", "{"), ("text", "text/plain", "route /live"), ("mermaid", "text/plain", "flowchart")],
)
async def test_the_graph_comes_in_three_forms(form: str, kind: str, start: str) -> None:
    """As the command prints it."""
    response = await request(Shop().console, path=f"/api/graph?form={form}", headers=[HOST])

    assert (response.header("content-type") or "").startswith(kind)
    assert response.body.decode().startswith(start)
    assert 422 == (await request(Shop().console, path="/api/graph?form=dot", headers=[HOST])).status


async def test_the_page_shows_everything_and_trusts_no_name() -> None:
    """States, figures, the graph; and names of others are texts."""
    evil = "<script>alert(1)</script>"
    shop = Shop()
    await shop.get()
    await shop.resync.purge(tags=[evil])
    shop.resync.upstreams["tws"].breaker.force_open()
    page = (await request(shop.console, headers=[HOST])).body.decode()

    assert evil not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; was purged" in page
    assert "forced-open" in page
    assert "Touches route /live, /plan/{name}" in page
    assert '<svg class="graph"' in page


async def test_without_a_recorder_the_page_says_how_to_have_one() -> None:
    """And shows the rest."""
    page = (await request(Console(Resync(), insecure=True), headers=[HOST])).body.decode()

    assert "telemetry.Recorder()" in page


async def test_the_page_is_asked_for_with_a_slash() -> None:
    """Its links are relative."""
    mounted = await request(Shop().console, path="/resync", headers=[HOST], root_path="/resync")
    stripped = await request(Shop().console, path="/", raw_path=b"/shop/resync?a=b", headers=[HOST])

    assert (307, "http://shop.example/resync/") == (mounted.status, mounted.header("location"))
    assert (307, "resync/") == (stripped.status, stripped.header("location"))


@pytest.mark.parametrize("path", ["/events", "/api/events"])
async def test_the_stream_tells_what_changes_and_ends(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything first, then what has changed; it ends by itself, or a server that is to stop would wait for ever."""
    shop = Shop()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        shop.clock.advance(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr("asgi_resync.console.stream.sleep", sleep)
    response = await request(shop.console, path=path, headers=[HOST])
    data = [json.loads(line[6:]) for line in response.body.decode().splitlines() if line.startswith("data: ")]

    assert "text/event-stream; charset=utf-8" == response.header("content-type")
    assert LASTS == sum(slept) == len(data) * INTERVAL
    if path == "/events":
        assert {"head", "answers", "breakers", "resources", "latency", "graph", "changes"} == data[0].keys()
        assert {"head"} == data[1].keys()


# What orders do


@pytest.mark.parametrize(
    "order",
    [
        {"tags": ["plan"]},
        {"tags": ["plan"], "soft": True},
        {"urls": ["http://shop.example/plan/a"]},
        {"urls": ["/plan/a"]},
        {"upstream": "tws"},
        {"everything": True},
    ],
)
async def test_a_purge_by_json(order: dict[str, object]) -> None:
    """What is purged is asked again; a path means the host that was asked."""
    shop = Shop()
    before = await shop.get()
    found = answer(await shop.post("/api/purge", order))

    assert (200, {"state": "local", "confirmed": 0, "unconfirmed": 0}) == found
    assert before != await shop.get()


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({}, "name tags, urls or upstreams"),
        ({"tags": "plan"}, "Expected `array`"),
        ({"tag": ["plan"]}, "unknown field `tag`"),
        ({"upstream": "twx"}, "'twx' is none of redis, tws"),
        ({"urls": ["shop.example/plan"]}, "shop.example/plan"),
    ],
)
async def test_a_purge_that_cannot_be_is_told_why(order: dict[str, object], says: str) -> None:
    """As problem details, and nothing is purged."""
    shop = Shop()
    before = await shop.get()
    response = await shop.post("/api/purge", order)
    status, found = answer(response)

    assert (422, "application/problem+json") == (status, response.header("content-type"))
    assert says in str(found["detail"])
    assert before == await shop.get()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [([FORM], b"{}", 415), ([], b"{}", 415), ([JSON], b"{", 422), ([JSON], b"\xff", 422), ([JSON], b"x" * 70000, 413)],
)
async def test_what_is_no_json_is_refused(headers: list[tuple[str, str]], body: bytes, status: int) -> None:
    """A form of another site cannot be JSON; what is too long is not read."""
    for path in ("/api/purge", "/api/breakers/tws"):
        response = await request(Shop().console, "POST", path, headers=[HOST, *headers], body=body)

        assert status == response.status


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ("what=tag&name=plan+other&how=hard", "purge-local"),
        ("what=tag&name=plan&how=soft", "purge-local"),
        ("what=url&name=/plan/a", "purge-local"),
        ("what=upstream&name=tws", "purge-local"),
        ("what=everything&sure=on", "purge-local"),
    ],
)
async def test_a_purge_by_the_page(form: str, note: str) -> None:
    """It leads back to the page, which says what came of it."""
    shop = Shop()
    before = await shop.get()
    response = await shop.submit("/purge", form)
    page = await request(shop.console, path=f"/?note={note}", headers=[HOST])

    assert (303, f"./?note={note}") == (response.status, response.header("location"))
    assert before != await shop.get()
    assert b"Purged." in page.body


@pytest.mark.parametrize(
    "form", ["what=everything", "what=tag&name=", "what=cat&name=x", "", "what=upstream&name=twx", "\xff=1"]
)
async def test_a_wrong_form_shows_the_page_again_with_what_is_wrong(form: str) -> None:
    """To a browser; to a program, the problem alone."""
    shop = Shop()
    before = await shop.get()
    page = await shop.submit("/purge", form, ("accept", "text/html,*/*"))
    alone = await shop.submit("/purge", form)

    assert (422, 422) == (page.status, alone.status)
    assert b"Nothing was purged" in page.body
    assert b"<!doctype html>" in page.body
    assert "application/problem+json" == alone.header("content-type")
    assert before == await shop.get()


async def test_the_address_of_the_page_says_nothing_of_its_own() -> None:
    """A link that somebody was sent cannot put words into it."""
    page = await request(Shop().console, path="/?note=You+won", headers=[HOST])

    assert b"You won" not in page.body


@pytest.mark.parametrize(
    ("path", "headers", "tags"),
    [
        ("/purge/plan", [], True),
        ("/purge", [("surrogate-key", "other plan")], True),
        ("/purge", [("cache-tag", "other,plan")], True),
        ("/purge_all", [], True),
        ("/purge/other", [], False),
    ],
)
@pytest.mark.parametrize("soft", [[], [("fastly-soft-purge", "1")]])
async def test_a_purge_as_fastly_has_it(
    path: str, headers: list[tuple[str, str]], tags: bool, soft: list[tuple[str, str]]
) -> None:
    """For those who have it in their fingers."""
    shop = Shop()
    before = await shop.get()
    response = await request(shop.console, "POST", path, headers=[HOST, *headers, *soft])

    assert 200 == response.status
    assert tags is (before != await shop.get())


@pytest.mark.parametrize(
    ("to", "state"),
    [
        ("forced-open", "forced-open"),
        ("forced-closed", "forced-closed"),
        ("metrics-only", "metrics-only"),
        ("released", "closed"),
    ],
)
async def test_a_breaker_is_forced_and_released(to: str, state: str) -> None:
    """By JSON and by the page."""
    shop = Shop()
    breaker = shop.resync.upstreams["tws"].breaker
    status, found = answer(await shop.post("/api/breakers/tws", {"to": to}))

    assert (200, state, state) == (status, found["state"], breaker.state.value)
    breaker.reset()
    response = await shop.submit("/breakers/tws", f"to={to}")
    assert (303, f"../?note=breaker-{to}") == (response.status, response.header("location"))
    assert state == breaker.state.value


@pytest.mark.parametrize(
    ("path", "order", "status"),
    [
        ("tws", {"to": "open"}, 422),
        ("tws", {}, 422),
        ("tws", {"to": "released", "for": 3}, 422),
        ("twx", {"to": "released"}, 404),
    ],
)
async def test_a_wrong_order_to_a_breaker_is_told(path: str, order: dict[str, object], status: int) -> None:
    """And changes nothing."""
    shop = Shop()

    assert status == (await shop.post(f"/api/breakers/{path}", order)).status
    assert "closed" == shop.resync.upstreams["tws"].breaker.state.value


async def test_the_settings_are_read_again() -> None:
    """By JSON and by the page; what cannot be used is told, and changes nothing."""
    environ = {"RESYNC_CACHE_L1_TTL": "60s"}
    resync = Resync.from_env(environ)
    console = Console(resync, insecure=True)
    same = await request(console, "POST", "/reload", headers=[HOST])
    resync._reloader.environ = {"RESYNC_CACHE_L1_TTL": "30s"}
    applied = answer(await request(console, "POST", "/api/reload", headers=[HOST]))
    resync._reloader.environ = {"RESYNC_CACHE_L1_TTL": "soon"}
    refused = answer(await request(console, "POST", "/api/reload", headers=[HOST]))
    page = await request(console, "POST", "/reload", headers=[HOST, ("accept", "text/html")])

    change = {"name": "RESYNC_CACHE_L1_TTL", "before": "60s", "after": "30s"}
    assert "./?note=unchanged" == same.header("location")
    assert (200, {"result": "applied", "changes": [change], "at_restart": []}) == applied
    assert "refused" == refused[1]["result"]
    assert (422, True) == (page.status, b"RESYNC_CACHE_L1_TTL" in page.body)


async def test_a_new_token_holds_as_soon_as_the_settings_have_it() -> None:
    """A token that leaked is changed without a restart."""
    resync = Resync.from_env({"RESYNC_CONSOLE_TOKEN": TOKEN})
    console = Console(resync)
    resync._reloader.environ = {"RESYNC_CONSOLE_TOKEN": TOKEN[::-1]}
    await resync.reload()

    assert 401 == (await request(console, path="/api/status", headers=[BEARER])).status
    assert 200 == (await request(console, path="/api/status", headers=[("fastly-key", TOKEN[::-1])])).status


# In front of an app


@pytest.mark.parametrize("root", ["", "/proxied"])
async def test_in_front_it_takes_its_path_and_purge_and_nothing_else(root: str) -> None:
    """Whatever rules the app has, and whether or not the server's root path is in the path."""
    shop = Shop()
    app = shop.console.around(shop.app, "/-/console/")
    for path in {"/-/console/api/status", f"{root}/-/console/api/status"}:
        response = await request(app, path=path, headers=[HOST], root_path=root)

        assert {"version"} <= json.loads(response.body).keys()
    other = await request(app, path="/-/consoles", headers=[HOST], root_path=root)

    assert b"0" == other.body
    assert app.resync is shop.resync


class Unwell(Resync):
    """One whose health cannot be told."""

    async def health(self) -> Health:
        """Raise."""
        raise ZeroDivisionError("secret")


@pytest.mark.parametrize("path", ["/", "/api/status"])
async def test_a_look_that_fails_is_a_problem_and_a_line_in_the_log(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the fields of every answer, and nothing of what was raised."""
    response = await request(Console(Unwell(), insecure=True), path=path, headers=[HOST])

    assert (500, "The console failed") == (response.status, json.loads(response.body)["title"])
    assert "application/problem+json" == response.header("content-type")
    assert "no-store" == response.header("cache-control")
    assert "DENY" == response.header("x-frame-options")
    assert b"secret" not in response.body
    assert ["The console could not answer (ZeroDivisionError)."] == [one.getMessage() for one in caplog.records]


@pytest.mark.parametrize("path", ["/events", "/api/events"])
async def test_a_stream_that_cannot_look_ends_in_order(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is opened again, and not at once."""
    response = await request(Console(Unwell(), insecure=True), path=path, headers=[HOST])

    assert (200, b"retry: 500\n\nretry: 5000\n\n") == (response.status, response.body)
    assert response.messages[-1]["more_body"] is False
    assert ["The console could not look (ZeroDivisionError); its stream ended."] == [
        one.getMessage() for one in caplog.records
    ]


@pytest.mark.parametrize("soft", [False, True])
async def test_purge_purges_the_url_it_is_sent_to(soft: bool) -> None:
    """Or what it names; with the same access as everything else."""
    shop = Shop()
    app = Console(shop.resync, token=TOKEN).around(shop.app)
    first = await shop.get()
    refused = await request(app, "PURGE", "/plan/a", headers=[HOST])
    same = await shop.get()
    done = await request(app, "PURGE", "/plan/a", headers=[HOST, BEARER])
    second = await shop.get()
    tagged = [("surrogate-key", "plan"), *([("fastly-soft-purge", "1")] if soft else [])]
    await request(app, "PURGE", "/", headers=[HOST, BEARER, *tagged])
    third = await shop.get()

    assert (401, 200) == (refused.status, done.status)
    assert first == same
    assert len({first, second, third}) == 3


@pytest.mark.parametrize(("raw", "query"), [(b"/\xff", b""), (b"/", b"a=\xc3\xa9")])
async def test_a_purge_of_what_is_no_url_is_told(raw: bytes, query: bytes) -> None:
    """Nothing is purged that was not named, and the app is not asked."""
    shop = Shop()
    app = shop.console.around(shop.app)
    status, told = answer(await request(app, "PURGE", headers=[HOST], raw_path=raw, query_string=query))

    assert (400, "Not a URL") == (status, told["title"])


@pytest.mark.parametrize("path", ["", "/", "resync", "//"])
def test_a_path_that_cannot_work_in_front_is_told(path: str) -> None:
    """By name."""
    with pytest.raises(RuleError, match="path="):
        Shop().console.around(ScriptedApp(), path)
