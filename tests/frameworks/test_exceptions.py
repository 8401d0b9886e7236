"""What becomes of a handler that raises is for the framework to say, wrapped or not."""

from __future__ import annotations

import traceback

import pytest
from tests.frameworks.building import running
from tests.frameworks.forms import Form
from tests.frameworks.traits import FRAMEWORKS, TRAITS
from tests.transparency.driver import Connection, http

from asgi_resync._asgi import ASGIApp, Message


async def outcome(app: ASGIApp) -> tuple[list[Message], list[str]]:
    """Return what *app* sends for a handler that raises, and the exception that leaves it, with its last frame."""
    connection = Connection(http("/broken"))
    try:
        await connection.run(app)
    except RuntimeError as error:
        return connection.sent, [repr(error), traceback.extract_tb(error.__traceback__)[-1].name]
    return connection.sent, []


def without_status(messages: list[Message]) -> list[Message]:
    """Return *messages* without the line that says that they were forwarded."""
    return [
        {**message, "headers": [line for line in message["headers"] if line[0] != b"cache-status"]}
        if "headers" in message
        else message
        for message in messages
    ]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("form", ["rule", "header", "marker"])
async def test_an_exception_is_what_it_is_without_the_wrapper(framework: str, form: Form) -> None:
    """The same messages are sent, and the same exception leaves the app, with the traceback down to the handler."""
    async with running(framework, form) as wrapped:
        bare_sent, bare_raised = await outcome(wrapped.wrapped)
        sent, raised = await outcome(wrapped)

    assert without_status(bare_sent) == without_status(sent)
    assert bare_raised == raised
    assert TRAITS[framework].raises == (["RuntimeError('broken on purpose')", "broken"] == raised)
