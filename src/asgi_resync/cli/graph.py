"""`python -m asgi_resync graph shop.main:app`: what depends on what, as the app declares it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..resources.graph import Graph
from .app import AppNotFound, resync_of
from .command import Status, parser_of
from .progress import progress


def main(argv: Sequence[str]) -> int:
    """Print the graph of an app; 2 if there is no such app, and then only why."""
    parser = parser_of(
        "graph",
        "Print what depends on what, as an app declares it.\n"
        "What a running one has learned since, its resync.graph and its console show.",
    )
    parser.add_argument("app", metavar="MODULE:APP", help="as for uvicorn, such as shop.main:app")
    parser.add_argument("--of", metavar="NAME", help="what an outage of NAME touches, and nothing else")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--mermaid", action="store_true", help="as a Mermaid flow chart")
    form.add_argument("--json", action="store_true", help="as one JSON object")
    arguments = parser.parse_args(argv)
    try:
        with progress(f"importing {arguments.app}", environ=os.environ):
            graph = resync_of(arguments.app).graph
    except AppNotFound as error:
        print(error, file=sys.stderr)
        return Status.UNUSABLE
    if arguments.of is not None:
        if arguments.of not in {node.name for node in graph.nodes}:
            print(f"{arguments.of}: nothing has this name; the graph has {_names(graph)}", file=sys.stderr)
            return Status.UNUSABLE
        graph = graph.around(arguments.of)
    print(graph.mermaid() if arguments.mermaid else graph.as_json() if arguments.json else graph.text())
    return Status.DONE


def _names(graph: Graph) -> str:
    return ", ".join(sorted({node.name for node in graph.nodes}))
