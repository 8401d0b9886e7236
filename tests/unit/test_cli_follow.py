"""Following a console from stream to stream: every state is told, and why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from queue import SimpleQueue

from tests.unit.states import outage, state, told

from asgi_resync.cli.follow import Follower
from asgi_resync.cli.remote import Away, Refused, Remote
from asgi_resync.cli.state import State


class Script(Remote):
    """A console that plays streams: each is what it sends, an error where it breaks; then it is silent for ever."""

    def __init__(self, *streams: Sequence[bytes | Exception]) -> None:
        super().__init__("http://127.0.0.1:9", None)
        self._streams = iter(streams)
        self.is_over = SimpleQueue[bool]()
        self.asked = 0

    def events(self, path: str, name: str) -> Iterator[bytes]:
        self.asked += 1
        stream = next(self._streams, None)
        if stream is None:
            self.is_over.put(True)
            follower.stop()
            return
        for one in stream:
            if isinstance(one, Exception):
                raise one
            yield one


follower: Follower


def followed(*streams: Sequence[bytes | Exception]) -> list[State | str]:
    """Return what is told while *streams* are played."""
    global follower
    found = SimpleQueue[tuple[State, bytes] | Away]()
    remote = Script(*streams)
    follower = Follower(remote, found.put, pause=0.0)
    follower.start()
    assert remote.is_over.get(timeout=20)
    told = [found.get() for _ in range(found.qsize())]
    return [str(one) if isinstance(one, Away) else one[0] for one in told]


def test_streams_that_end_are_opened_again() -> None:
    """Consoles end them after some seconds; nobody is told."""
    up, out = told(state()), told(outage())

    assert [state(), outage(), state()] == followed([up, out], [], [up])


def test_what_breaks_is_told_and_tried_again() -> None:
    """Whatever it was."""
    up = told(state())

    found = followed([up, Away("gone")], [Refused("no")], [b"{}", up], [up])

    strange = "http://127.0.0.1:9 says what this version does not understand: use that of the app."
    assert [state(), "gone", "no", strange, state()] == found


def test_after_its_end_nothing_is_told() -> None:
    """A state that comes late is dropped."""
    found = SimpleQueue[tuple[State, bytes] | Away]()

    class Late(Script):
        def events(self, path: str, name: str) -> Iterator[bytes]:
            late.stop()
            yield told(state())
            self.is_over.put(True)

    remote = Late()
    late = Follower(remote, found.put, pause=0.0)
    late._run()

    assert found.empty()
