"""How the graph is drawn: everything is there, nothing lies on anything, and circles do no harm."""

from __future__ import annotations

from itertools import combinations, pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.console.drawing import MOST_NODES, drawing
from asgi_resync.console.layout import HEIGHT, WIDTH, layout
from asgi_resync.resources.graph import Edge, Graph, Node

KINDS = st.sampled_from(["resource", "upstream", "callable", "route", "tag"])
NODES = st.builds(Node, KINDS, st.text(min_size=1, max_size=40))
GRAPHS = st.builds(
    lambda pairs: Graph(edges=[Edge(one, other, is_learned=learned) for one, other, learned in pairs]),
    st.lists(st.tuples(NODES, NODES, st.booleans()), max_size=25),
)


@given(GRAPHS)
def test_every_node_has_a_place_of_its_own_within_the_picture(graph: Graph) -> None:
    """Boxes do not touch."""
    found = layout(graph)

    assert set(graph.nodes) == found.places.keys()
    for place in found.places.values():
        assert 0 <= place.x <= found.width - WIDTH
        assert 0 <= place.y <= found.height - HEIGHT
    spots = [*found.places.values(), *(place for places in found.bends.values() for place in places)]
    for one, other in combinations(spots, 2):
        assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) > HEIGHT


@given(GRAPHS)
def test_what_depends_stands_left_of_what_it_depends_on(graph: Graph) -> None:
    """Where there is no circle."""
    found = layout(graph)
    circles = {node for circle in graph.cycles() for node in circle}
    for edge in graph.edges:
        if not {edge.dependent, edge.dependency} <= circles:
            places = [found.places[edge.dependent], *found.bends.get(edge, ()), found.places[edge.dependency]]

            assert all(one.x < other.x for one, other in pairwise(places))


@given(GRAPHS)
def test_the_picture_is_xml_with_all_names_in_it(graph: Graph) -> None:
    """Whatever the names are made of, but what XML cannot hold."""
    legal = [node for node in graph.nodes if node.name.isprintable()]
    kept = Graph(legal, [edge for edge in graph.edges if {edge.dependent, edge.dependency} <= {*legal}])
    root = ElementTree.fromstring(f"<p>{drawing(kept)}</p>")

    assert sorted(map(str, kept.nodes)) == sorted(title.text or "" for title in root.iter("title"))
    assert len(kept.edges) == len(list(root.iter("path")))


def test_what_is_not_up_and_what_that_touches_is_marked() -> None:
    """A tag or a route of the same name is not."""
    route, upstream, tag = Node("route", "/plan"), Node("upstream", "tws"), Node("tag", "tws")
    picture = drawing(Graph(edges=[Edge(route, upstream), Edge(route, tag)]), frozenset({"tws"}), frozenset({"/plan"}))

    assert 'class="node upstream out"' in picture
    assert 'class="node route touched"' in picture
    assert 'class="node tag well"' in picture
    assert "<title>upstream tws, not up</title>" in picture
    assert "<title>route /plan, touched by an outage</title>" in picture


def test_what_is_too_much_to_draw_is_told() -> None:
    """And nothing says so too."""
    many = Graph(Node("tag", str(number)) for number in range(MOST_NODES + 1))

    assert "too many to draw" in drawing(many)
    assert "<svg" not in drawing(Graph())
