"""The graph of what depends on what: as a value, as a picture, and as a Resync collects it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from asgi_resync import BreakerOpen, BreakerRule, CacheRule, Degradable, Resource, Resync, RuleError, Settings, Upstream
from asgi_resync.__main__ import main
from asgi_resync.cache.provenance import route_name
from asgi_resync.knowledge import Knowledge
from asgi_resync.learned import Learned
from asgi_resync.noted import Notes
from asgi_resync.resources.graph import Edge, Graph, Node
from asgi_resync.testing import ManualClock, ScriptedApp, request

TWS, REDIS, JOBS = Node("upstream", "tws"), Node("upstream", "redis"), Node("callable", "jobs")
PLAN, LIST, TAG = Node("route", "/plan"), Node("route", "/jobs"), Node("tag", "plan")
HOUSE = Graph(
    [Node("route", "/about")],
    [Edge(PLAN, TWS), Edge(PLAN, TAG), Edge(JOBS, TWS, is_learned=True), Edge(LIST, JOBS, is_learned=True)],
)


def test_it_says_what_depends_on_what_through_others_too() -> None:
    """By node, and by name for all nodes that have it."""
    assert (JOBS, LIST, PLAN) == HOUSE.dependents(TWS) == HOUSE.dependents("tws")
    assert (JOBS, TWS) == HOUSE.dependencies("/jobs")
    assert (TAG, TWS) == HOUSE.dependencies(PLAN)
    assert {"callable": ("jobs",), "route": ("/jobs", "/plan")} == HOUSE.impact("tws")
    assert () == HOUSE.dependents("nobody") == HOUSE.dependencies(Node("route", "/about"))
    assert {} == HOUSE.impact("nobody")


def test_an_edge_that_is_declared_and_learned_is_declared() -> None:
    """In either order."""
    both = [Edge(PLAN, TWS), Edge(PLAN, TWS, is_learned=True)]

    assert (Edge(PLAN, TWS),) == Graph((), both).edges == Graph((), reversed(both)).edges


def test_it_prints_itself() -> None:
    """As lines for people, as a flow chart, and as JSON."""
    assert HOUSE.text().splitlines() == [
        "callable jobs",
        "  └─ ~upstream tws",
        "route /about",
        "route /jobs",
        "  └─ ~callable jobs",
        "route /plan",
        "  ├─ tag plan",
        "  └─ upstream tws",
    ]
    assert HOUSE.mermaid().splitlines() == [
        "flowchart LR",
        '  n0[["jobs"]]',
        '  n1(["/about"])',
        '  n2(["/jobs"])',
        '  n3(["/plan"])',
        '  n4>"plan"]',
        '  n5{{"tws"}}',
        "  n0 -.-> n5",
        "  n2 -.-> n0",
        "  n3 --> n4",
        "  n3 --> n5",
    ]
    read = json.loads(HOUSE.as_json())
    assert {"kind": "upstream", "name": "tws"} == read["nodes"][5]
    assert {"from": 0, "to": 5, "learned": True} == read["edges"][0]
    assert "" == Graph().text()


def test_a_name_cannot_end_its_label() -> None:
    """Names come from rules and paths, and Mermaid reads markup in labels."""
    chart = Graph([Node("route", '/a"]; click <b>\n')]).mermaid()

    assert '  n0(["/a#34;]#59; click #60;b#62;#10;"])' == chart.splitlines()[1]


def test_circles_are_found() -> None:
    """Callables that use each other, and one that uses itself; what only leads into a circle is in none."""
    one, two, three = (Node("callable", name) for name in ("one", "two", "three"))
    graph = Graph((), [Edge(one, two), Edge(two, one), Edge(three, three), Edge(PLAN, one)])

    assert {(one, two), (three,)} == set(graph.cycles())
    assert (one, two) == graph.dependencies(one)
    assert () == HOUSE.cycles()


def test_resources_are_ordered_for_their_start() -> None:
    """What others depend on comes first."""
    database, cache, web = (Node("resource", name) for name in ("database", "cache", "web"))
    graph = Graph((), [Edge(web, database), Edge(web, cache), Edge(cache, database), Edge(PLAN, web)])

    assert ("database", "cache", "web") == graph.start_order()


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30))
def test_circles_and_reach_agree(pairs: set[tuple[int, int]]) -> None:
    """A node is in a circle if and only if it depends on itself; dependents are dependencies turned round."""
    nodes = [Node("callable", str(number)) for number in range(8)]
    graph = Graph(nodes, [Edge(nodes[one], nodes[other]) for one, other in pairs])
    circling = {node for group in graph.cycles() for node in group}

    assert circling == {node for node in nodes if node in graph.dependencies(node)}
    for node in nodes:
        assert set(graph.dependents(node)) == {other for other in nodes if node in graph.dependencies(other)}


def test_what_is_no_name_is_refused() -> None:
    """By the name of the argument."""
    with pytest.raises(RuleError, match="of"):
        HOUSE.dependents(3)  # type: ignore[arg-type]  # what is tried


# What is learned


def test_what_was_learned_is_forgotten_in_time() -> None:
    """Each pair by itself, counted from when it was last noted."""
    learned: Learned[str, str] = Learned(lifetime=10)
    learned.note("/plan", ["tws", "redis"], 0)
    learned.note("/plan", ["tws"], 6)

    assert {"tws", "redis"} == learned.needed_by("/plan", 10)
    assert {"tws"} == learned.needed_by("/plan", 11)
    assert [("/plan", "tws")] == list(learned.pairs(11))
    assert [] == list(learned.pairs(17))
    assert not learned


@given(st.lists(st.tuples(st.integers(0, 5), st.sets(st.sampled_from("abc")), st.booleans()), max_size=40))
def test_what_is_learned_is_bounded(steps: list[tuple[int, set[str], bool]]) -> None:
    """The latest pairs stay, whatever is noted and taken back."""
    learned: Learned[int, str] = Learned(most=4)
    model: dict[tuple[int, str], None] = {}
    for key, names, is_note in steps:
        if is_note:
            ordered = sorted(names)
            learned.note(key, ordered, 0)
            for name in ordered:
                model.pop((key, name), None)
                model[key, name] = None
            while len(model) > 4:
                del model[next(iter(model))]
        else:
            learned.forget(key)
            model = {pair: None for pair in model if pair[0] != key}

    assert list(model) == list(learned.pairs(0))
    assert {name for key, name in model if key == 1} == learned.needed_by(1, 0)


# As a Resync collects it


def test_news_that_nobody_asks_for_are_bounded() -> None:
    """Kept as they came until a graph is wanted, with the time at which they were learned."""
    clock = ManualClock(0.0)
    knowledge = Knowledge(clock=clock)
    knowledge.add_upstreams(["tws"])
    notes = Notes()
    notes.called.add("tws")
    for number in range(5000):
        knowledge.learn("route", f"/{number}", notes)
    assert len(knowledge._news) == 4096
    routes = knowledge.graph().impact("tws")["route"]
    assert len(routes) == 4096
    assert "/0" not in routes

    knowledge.learn("route", "/late", notes)
    clock.advance(3601)
    assert knowledge.graph().impact("tws") == {}


async def test_it_has_what_is_declared_and_what_is_learned() -> None:
    """Rules, decorators, and what handlers and functions call while they run, under names that one knows."""
    resync = Resync(
        Settings(),
        rules=[CacheRule("/plan", ttl=10, tags=["plan"]), BreakerRule("/stock/{rest:path}", upstreams=["tws"])],
        upstreams=[Upstream("partner")],
    )

    @resync.cached("jobs:{status}", ttl=10, tags=["job-{status}"], upstreams=["tws"])
    async def jobs(status: str) -> str:
        async with resync.upstreams["partner"].breaker:
            return status

    async def plan(request: Request) -> Response:
        return PlainTextResponse(await jobs("ABEND"))

    async def item(request: Request) -> Response:
        async with resync.upstreams["redis"].breaker:
            return PlainTextResponse("item", headers={"cache-control": "max-age=60"})

    app = resync(Starlette(routes=[Route("/plan", plan), Route("/item/{number:int}", item)]))
    for path in ("/plan", "/item/1", "/item/2"):
        assert 200 == (await request(app, "GET", path)).status
    graph = resync.graph

    assert graph.text().splitlines() == [
        "callable jobs:{status}",
        "  ├─ tag job-{status}",
        "  ├─ ~upstream partner",
        "  └─ upstream tws",
        "route /item/{number:int}",
        "  └─ ~upstream redis",
        "route /plan",
        "  ├─ ~callable jobs:{status}",
        "  ├─ tag plan",
        "  ├─ ~upstream partner",
        "  └─ ~upstream tws",
        "route /stock/{rest:path}",
        "  └─ upstream tws",
    ]
    assert {"route": ("/item/{number:int}",)} == graph.impact("redis")


async def test_what_was_read_from_a_resource_is_learned_as_that() -> None:
    """So an outage of what it depends on touches the routes that read from it."""
    known = Degradable("known", start=_nothing, depends_on=["disk"])
    resync = Resync(resources=[Resource("disk"), known])

    async def after(request: Request) -> Response:
        return PlainTextResponse(await known.read(str, "nothing"), headers={"cache-control": "max-age=60"})

    app = resync(Starlette(routes=[Route("/after", after)]))
    async with resync.lifespan():
        await request(app, "GET", "/after")

    assert (Node("resource", "disk"), Node("resource", "known")) == resync.graph.dependencies(Node("route", "/after"))
    assert {"resource": ("known",), "route": ("/after",)} == resync.graph.impact("disk")


async def _nothing() -> None:
    """What is there is None."""


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"path_template": "/item/{number:int}"}, "/item/{number:int}"),
        ({"path_params": {"number": 7}}, "/item/{number}/of/{number}"),
        ({"path_params": {"other": "8"}}, "/item/7/of/7"),
        ({"path": "/" + "x" * 300}, ""),
        ({"router": object()}, ""),
        ({"router": object(), "endpoint": object(), "path_params": {}}, "/item/7/of/7"),
    ],
)
def test_a_route_goes_by_the_pattern_that_found_its_handler(said: dict[str, object], name: str) -> None:
    """However the framework says it; by its path where none does."""
    assert name == route_name({"type": "http", "path": "/item/7/of/7", **said})


async def test_what_a_route_has_used_from_the_cache_is_learned_too() -> None:
    """A value that was kept before leads to its upstreams as well as one that is made."""
    resync = Resync(Settings(), upstreams=[Upstream("tws")])

    @resync.cached(ttl=10)
    async def jobs() -> str:
        async with resync.upstreams["tws"].breaker:
            return "jobs"

    async def plan(request: Request) -> Response:
        return PlainTextResponse(await jobs(), headers={"cache-control": "no-store"})

    await jobs()
    await request(resync(Starlette(routes=[Route("/plan", plan)])), "GET", "/plan")

    assert "/plan" in resync.graph.impact("tws")["route"]


async def test_a_route_that_was_learned_to_need_an_upstream_is_tried_again() -> None:
    """Ten minutes later it may need it no longer, though the upstream is still out."""
    clock = ManualClock()
    resync = Resync(Settings(), upstreams=[Upstream("tws")], clock=clock)
    breaker = resync.upstreams["tws"].breaker
    needs_it = True

    async def plan(request: Request) -> Response:
        if needs_it:
            async with breaker:
                pass
        return PlainTextResponse("plan")

    app = resync(Starlette(routes=[Route("/plan", plan)]))
    breaker.force_open()
    assert 503 == (await request(app, "GET", "/plan")).status
    needs_it = False
    assert 503 == (await request(app, "GET", "/plan")).status
    clock.advance(601)

    assert 200 == (await request(app, "GET", "/plan")).status
    with pytest.raises(BreakerOpen):
        async with breaker:
            pass


async def test_a_listener_of_what_is_learned_costs_no_answer() -> None:
    """Requests that call nothing leave nothing."""
    resync = Resync(Settings())
    app = resync(ScriptedApp())
    await asyncio.gather(*(request(app, "GET", f"/{number}") for number in range(10)))

    assert () == resync.graph.edges


# From the command line

SHOP = """
from asgi_resync import CacheRule, Resync, Upstream
resync = Resync(rules=[CacheRule("/plan", ttl=10, upstreams=["tws"])], upstreams=[Upstream("tws")])
async def bare(scope, receive, send): ...
app = resync(bare)
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module in the working directory."""
    (tmp_path / "graph_shop.py").write_text(SHOP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "graph_shop", raising=False)
    return "graph_shop"


@pytest.mark.parametrize("name", ["app", "resync"])
def test_the_command_prints_it(shop: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For an app, and for a Resync."""
    assert 0 == main(["graph", f"{shop}:{name}"])
    assert "route /plan\n  └─ upstream tws\n" in capsys.readouterr().out
    assert 0 == main(["graph", f"{shop}:{name}", "--of", "tws", "--json"])
    assert [{"from": 0, "to": 1, "learned": False}] == json.loads(capsys.readouterr().out)["edges"]
    assert 0 == main(["graph", f"{shop}:{name}", "--mermaid"])
    assert "flowchart LR" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["graph_shop"], "with a colon"),
        (["./graph_shop.py:app"], "and no path"),
        (["nowhere:app"], "change to the directory"),
        (["graph_shop:missing"], "no such name"),
        (["graph_shop:bare"], "it is function"),
        (["graph_shop:app", "--of", "sap"], "the graph has /plan, redis, tws"),
    ],
)
def test_what_cannot_be_found_is_said(
    shop: str, arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do about it, and status 2."""
    assert 2 == main(["graph", *arguments])
    assert remedy in capsys.readouterr().err


def test_graphs_of_the_same_are_equal() -> None:
    """Whatever the order they were told in; so what is drawn of one need not be drawn again."""
    one, other = Node("route", "/a"), Node("upstream", "b")
    edge = Edge(one, other)

    assert Graph([one], [edge]) == Graph([other, one], [edge, edge])
    assert hash(Graph([one], [edge])) == hash(Graph([other], [edge]))
    assert Graph([one], [edge]) != Graph([one, other])
    assert Graph([one], [edge]) != Graph(edges=[Edge(one, other, is_learned=True)])
