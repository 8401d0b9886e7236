"""purgatory's API over our breakers: what users of purgatory write goes on working, and its defects are gone."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

import pytest
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import Context, OpenedState

from asgi_resync.breaker.breaker import Breaker
from asgi_resync.breaker.circuit import CircuitFactory, adopt
from asgi_resync.breaker.limits import BreakerLimits
from asgi_resync.errors import BreakerOpen, RuleError
from asgi_resync.testing import ManualClock


class Made:
    """Makes breakers of one clock."""

    def __init__(self) -> None:
        self.clock = ManualClock(0)

    def __call__(self, name: str, limits: BreakerLimits) -> Breaker:
        return Breaker(name, limits, clock=self.clock, wall=ManualClock(1000), spread=lambda: 0.0)


def own(make: Made) -> AsyncCircuitBreakerFactory:
    """Return our factory."""
    return CircuitFactory(default_threshold=2, default_ttl=10, make=make)


def handed_in(make: Made) -> AsyncCircuitBreakerFactory:
    """Return one of purgatory's, with our breakers beneath it."""
    factory = AsyncCircuitBreakerFactory(default_threshold=2, default_ttl=10)
    adopt(factory, make=make)
    return factory


@pytest.fixture(params=[own, handed_in])
def make(request: pytest.FixtureRequest) -> tuple[AsyncCircuitBreakerFactory, Made]:
    """Return a factory of each kind, and what makes its breakers."""
    made = Made()
    return request.param(made), made


Subject = tuple[AsyncCircuitBreakerFactory, Made]


async def fail(factory: AsyncCircuitBreakerFactory, times: int = 1, error: BaseException | None = None) -> None:
    """Let calls fail, one after the other."""
    for _ in range(times):
        raised = error or OSError()
        try:
            async with await factory.get_breaker("tws"):
                raise raised
        except BaseException as caught:
            if caught is not raised:
                raise


async def state(factory: AsyncCircuitBreakerFactory) -> str:
    """Return the state by purgatory's name."""
    return (await factory.get_breaker("tws")).context.state


async def test_it_opens_probes_and_closes_by_purgatorys_api(make: Subject) -> None:
    """Context manager, decorator, listeners and exception are those that users know."""
    factory, made = make
    told: list[tuple[str, str, object]] = []
    factory.add_listener(lambda name, kind, event: told.append((name, kind, getattr(event, "state", None))))
    await factory.initialize()

    @factory("tws")  # type: ignore[untyped-decorator] # purgatory's own type
    async def read(error: BaseException | None = None) -> str:
        if error is not None:
            raise error
        return "plan"

    for _ in range(2):
        with pytest.raises(OSError, match="down"):
            await read(OSError("down"))
    with pytest.raises(OpenedState) as refused:
        await read()
    made.clock.advance(10)
    answer = await read()

    assert "plan" == answer
    assert ("tws", 1000) == (refused.value.circuit_name, refused.value.opened_at)
    assert isinstance(refused.value, BreakerOpen)
    assert [
        ("tws", "circuit_breaker_created", None), ("tws", "failed", None), ("tws", "failed", None),
        ("tws", "state_changed", "opened"), ("tws", "state_changed", "half-opened"), ("tws", "recovered", None),
        ("tws", "state_changed", "closed"),
    ] == told  # fmt: skip


async def test_a_rejection_is_new_hashable_and_has_a_short_traceback(make: Subject) -> None:
    """purgatory raises one and the same, unhashable, with a traceback that grows each time."""
    factory, _ = make
    await fail(factory, 2)
    seen: list[tuple[int, int]] = []
    kept = []
    for _ in range(1000):
        try:
            await fail(factory)
        except OpenedState as error:
            kept.append(error)
            seen.append((hash(error), len(traceback.extract_tb(error.__traceback__))))

    assert 1000 == len({number for number, _ in seen})
    assert 1 == len({length for _, length in seen})
    assert "OpenedState" not in repr(kept[0])


async def test_cancelled_calls_open_nothing(make: Subject) -> None:
    """purgatory counts each client that went away."""
    factory, _ = make
    await fail(factory, 10, asyncio.CancelledError())

    assert "closed" == await state(factory)


async def test_one_of_fifty_callers_probes(make: Subject) -> None:
    """purgatory admits all of them."""
    factory, made = make
    await fail(factory, 2)
    made.clock.advance(10)
    go = asyncio.Event()

    async def caller() -> bool:
        try:
            async with await factory.get_breaker("tws"):
                await go.wait()
                return True
        except OpenedState:
            return False

    tasks = [asyncio.create_task(caller()) for _ in range(50)]
    await asyncio.sleep(0)
    go.set()

    assert 1 == sum(await asyncio.gather(*tasks))


async def test_a_success_from_before_it_opened_does_not_close_it(make: Subject) -> None:
    """In purgatory it does, while the probe is still out; here on one kept breaker that tasks share."""
    factory, made = make
    kept = await factory.get_breaker("tws")
    go, late = asyncio.Event(), asyncio.Event()

    async def caller(until: asyncio.Event) -> None:
        async with kept:
            await until.wait()

    early = asyncio.create_task(caller(go))
    await asyncio.sleep(0)
    await fail(factory, 2)
    made.clock.advance(10)
    probe = asyncio.create_task(caller(late))
    await asyncio.sleep(0)
    go.set()
    await early
    during = await state(factory)
    late.set()
    await probe

    assert ("half-opened", "closed") == (during, await state(factory))


async def test_the_wall_clock_does_not_matter(make: Subject) -> None:
    """A step of NTP neither shortens nor lengthens anything: the clock is monotonic by default."""
    factory, made = make
    await fail(factory, 2)
    made.clock.advance(9.9)
    before = (await factory.get_breaker("tws")).context
    with pytest.raises(OpenedState) as refused:
        await fail(factory)

    assert ("opened", 2, 10) == (before.state, before.threshold, before.ttl)
    assert isinstance(refused.value, BreakerOpen)
    assert pytest.approx(0.1) == refused.value.retry_after


async def test_what_one_caller_excludes_is_no_others_business(make: Subject) -> None:
    """purgatory keeps it on what they share."""
    factory, _ = make
    lenient = await factory.get_breaker("tws", exclude=[KeyError, (OSError, lambda error: error.errno == 2)])
    strict = await factory.get_breaker("tws")
    for error in (KeyError(), FileNotFoundError(2, "")):
        with pytest.raises(type(error)):
            async with lenient:
                raise error
    before = strict.context.failure_count
    with pytest.raises(KeyError):
        async with strict:
            raise KeyError
    with pytest.raises(ConnectionError):
        async with lenient:
            raise ConnectionError

    assert (0, "opened") == (before, await state(factory))


async def test_what_is_excluded_may_raise(make: Subject) -> None:
    """The error of the call goes on, not that of the predicate, and counts."""
    factory, _ = make
    odd = await factory.get_breaker("tws", exclude=[(OSError, lambda error: bool(1 / 0))])
    with pytest.raises(OSError, match="down"):
        async with odd:
            raise OSError("down")

    assert 1 == odd.context.failure_count


async def test_a_listener_that_raises_affects_no_call(make: Subject) -> None:
    """purgatory lets it replace the error of the call."""
    factory, _ = make
    told: list[str] = []
    factory.add_listener(lambda *_: 1 / 0)  # type: ignore[arg-type] # a bad hook
    listener = lambda name, kind, event: told.append(kind)  # noqa: E731 - to be removed again
    factory.add_listener(listener)
    await fail(factory)
    factory.remove_listener(listener)
    await fail(factory)

    assert ["circuit_breaker_created", "failed"] == told


async def test_nobody_waits_to_be_admitted(make: Subject) -> None:
    """There is no store behind it to be slow or away, so that no breaker becomes the outage."""
    factory, _ = make
    handle = await factory.get_breaker("tws")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    async with handle, await factory.get_breaker("tws"):
        pass
    task.cancel()

    assert 0 == turns


async def test_zero_is_refused_and_what_differs_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """purgatory takes zero for its default, and gives whoever asked first what they asked."""
    factory = CircuitFactory()
    await factory.get_breaker("tws", threshold=3, ttl=20)
    with caplog.at_level(logging.WARNING, "asgi_resync"):
        second = await factory.get_breaker("tws", threshold=99)
        await factory.get_breaker("tws", threshold=99)
    with pytest.raises(RuleError, match="fail_max=0"):
        await factory.get_breaker("other", threshold=0)
    with pytest.raises(RuleError, match="reset_timeout=0"):
        CircuitFactory(default_ttl=0)

    assert 3 == second.context.threshold
    assert 1 == len(caplog.records)


async def test_breakers_that_are_there_are_found_by_name(make: Subject) -> None:
    """One breaker for the client, the middleware and purgatory's API; listeners hear of all of them."""
    _, made = make
    tws = made("tws", BreakerLimits(fail_max=7))
    factory = CircuitFactory(breakers={"tws": tws})
    told: list[str] = []
    factory.add_listener(lambda name, kind, event: told.append(kind))
    tws.force_open()

    assert ("opened", 7) == (await state(factory), (await factory.get_breaker("tws")).context.threshold)
    assert ["state_changed"] == told
    with pytest.raises(OpenedState):
        await fail(factory)


async def test_contexts_of_others_are_not_kept(make: Subject) -> None:
    """The repository holds our breakers only, and the rest of its port does nothing."""
    factory, _ = make
    async with factory.uow as uow:
        await uow.contexts.register(Context("alien", 1, 1))
        await uow.contexts.update_state("alien", "opened", 0)
        await uow.contexts.inc_failures("alien", 1)
        await uow.contexts.reset_failure("alien")
        await uow.commit()
        await uow.rollback()
        found: Any = await uow.contexts.get("alien")

    assert found is None
