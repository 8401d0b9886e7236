"""Breakers that share what they know: who tells what, who heeds it, and that nobody waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.libraries import until

from asgi_resync import Resync, Settings
from asgi_resync.breaker.breaker import Breaker
from asgi_resync.breaker.limits import BreakerLimits
from asgi_resync.cache.l2.bulletin import Bulletin
from asgi_resync.cache.l2.messages import BreakerTold, Message
from asgi_resync.events import BreakerChanged
from asgi_resync.shared import SharedBreakers, share_breakers
from asgi_resync.testing import ManualClock


class Wire:
    """What carries it, with nothing at the other end: `posted` are the names it was given."""

    def __init__(self) -> None:
        self.posted: list[str] = []

    def __call__(
        self, look: Callable[[str], tuple[str, float] | None], hear: Callable[[str, str, float], None]
    ) -> Callable[[str], None]:
        self.look = look
        self.hear = hear
        return self.posted.append


def one(clock: ManualClock, **limits: float) -> tuple[Breaker, Wire, SharedBreakers]:
    """Return a breaker that opens at the first failure, and what it is shared by."""
    wire = Wire()
    breaker = Breaker(
        "up",
        BreakerLimits(fail_max=1, reset_timeout=10, probe_timeout=3, **limits),  # type: ignore[arg-type]
        clock=clock,
        spread=lambda: 0.0,
    )
    return breaker, wire, SharedBreakers({"up": breaker}, wire)


def test_what_calls_have_shown_is_told() -> None:
    """That it opened and for how long yet, that a probe is out, and that it closed."""
    clock = ManualClock(0)
    breaker, wire, shared = one(clock)
    breaker.admit().failed(500)
    clock.advance(4)
    said = [shared.look("up")]
    clock.advance(6)
    probe = breaker.admit()
    said.append(shared.look("up"))
    probe.succeeded()
    said.append(shared.look("up"))

    assert ["up", "up", "up"] == wire.posted
    assert [("open", 6.0), ("half-open", 3.0), ("closed", 0.0)] == said


def test_what_was_heard_or_forced_is_not_told() -> None:
    """Or it would go round for ever; and each process has its own operator."""
    clock = ManualClock(0)
    breaker, wire, shared = one(clock)
    wire.hear("up", "open", 5.0)
    state = breaker.state
    breaker.force_open()

    assert "open" == state
    assert [] == wire.posted
    assert shared.look("up") is None


@pytest.mark.parametrize(
    ("upstream", "state"), [("other", "open"), ("up", "forced-open"), ("up", "ajar"), ("up", "closed")]
)
def test_what_is_not_known_changes_nothing(upstream: str, state: str) -> None:
    """An upstream of another process alone, a state of a newer version."""
    breaker, wire, _ = one(ManualClock(0))
    wire.hear(upstream, state, 5.0)

    assert "closed" == breaker.state


@pytest.mark.parametrize("open_for", [float("inf"), 1e300, 3600.0])
def test_nobody_stays_open_for_longer_than_his_own_limits_say(open_for: float) -> None:
    """Whatever arrives."""
    breaker, wire, _ = one(ManualClock(0))
    wire.hear("up", "open", open_for)

    assert 10 == breaker.retry_after


@pytest.mark.parametrize("open_for", [float("nan"), -5.0, 0.0])
def test_no_time_at_all_opens_nothing(open_for: float) -> None:
    """Nor does what is no time."""
    breaker, wire, _ = one(ManualClock(0))
    wire.hear("up", "open", open_for)

    assert "closed" == breaker.state


def test_the_breaker_of_redis_and_those_that_keep_to_themselves_are_not_shared() -> None:
    """Of Redis each process has its own view; of others the settings say."""
    environ = {"RESYNC_UPSTREAM_PARTNER_URL": "http://p", "RESYNC_UPSTREAM_PARTNER_SHARED": "no"}
    resync, wire = Resync.from_env(environ), Wire()
    share_breakers(resync.upstreams, Settings.from_env(environ), wire)
    for name in ("redis", "partner", "tws"):
        wire.hear(name, "open", 5.0)

    states = {name: str(upstream.breaker.state) for name, upstream in resync.upstreams.items()}
    assert {"redis": "closed", "partner": "closed", "tws": "open"} == states


class Press:
    """A bulletin, what it has told, and states to look at."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.states: dict[str, tuple[str, float] | None] = {"a": ("open", 5.0), "b": ("closed", 0.0), "c": None}
        self.go = asyncio.Event()
        self.go.set()
        self.bulletin = Bulletin(lambda name: self.states[name], tell=self.tell, node=lambda: "n1")

    async def tell(self, message: Message) -> bool:
        await self.go.wait()
        self.told.append(message)
        return False


async def test_what_was_posted_while_cut_off_is_told_as_it_is_then() -> None:
    """Once for each upstream, and not how it came to that."""
    press = Press()
    for name in ("a", "b", "c", "a"):
        press.bulletin.post(name)
    press.states["a"] = ("half-open", 30.0)
    task = asyncio.create_task(press.bulletin.run())
    await until(lambda: len(press.told) == 2)
    task.cancel()
    await asyncio.wait({task})

    assert [BreakerTold("n1", "a", "half-open", 30.0), BreakerTold("n1", "b", "closed", 0.0)] == press.told


async def test_who_posts_never_waits_and_may_be_a_thread() -> None:
    """Also while Redis takes its time over the last one."""
    press = Press()
    task = asyncio.create_task(press.bulletin.run())
    await asyncio.sleep(0)
    press.go.clear()
    press.bulletin.post("a")
    thread = threading.Thread(target=press.bulletin.post, args=("b",))
    thread.start()
    thread.join(5)
    before = list(press.told)
    press.go.set()
    await until(lambda: len(press.told) == 2)
    task.cancel()
    await asyncio.wait({task})
    press.bulletin.post("a")

    assert [] == before
    assert {"a", "b"} == {message.upstream for message in press.told if isinstance(message, BreakerTold)}


async def test_a_forked_process_tells_nothing_of_its_parent() -> None:
    """It is the parent's to tell."""
    press = Press()
    press.bulletin.post("a")
    press.bulletin.forget()
    press.bulletin.post("b")
    task = asyncio.create_task(press.bulletin.run())
    await until(lambda: len(press.told) == 1)
    task.cancel()
    await asyncio.wait({task})

    assert [BreakerTold("n1", "b", "closed", 0.0)] == press.told


SAID = st.tuples(st.sampled_from(["closed", "open", "half-open", "forced-open", "?"]), st.floats())
DONE = st.sampled_from(["succeed", "fail", "cancel", "wait"])


@given(st.lists(st.one_of(SAID, DONE), max_size=40))
def test_whatever_others_say_it_is_closed_by_its_own_probes_and_open_no_longer_than_its_limits(
    course: list[tuple[str, float] | str],
) -> None:
    """In every course of what is heard and what calls show."""
    clock = ManualClock(0)
    breaker, wire, _ = one(clock)
    changes: list[BreakerChanged] = []
    breaker.listen(lambda event: changes.append(event) if isinstance(event, BreakerChanged) else None)
    for step in course:
        if isinstance(step, tuple):
            wire.hear("up", *step)
        elif step == "wait":
            clock.advance(2)
        elif (permit := breaker.ask()) is not None:
            {"succeed": permit.succeeded, "fail": lambda: permit.failed(500), "cancel": permit.withdrawn}[step]()

        assert 0 <= breaker.retry_after <= 10
    clock.advance(10)

    assert breaker.is_admitting
    assert {"successes"} >= {change.cause for change in changes if change.after == "closed"}
