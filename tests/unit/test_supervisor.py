"""Resources start in order, are tried again, and stop the other way, in time and whatever happens."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from tests.unit.house import House, heedless, until
from tests.unit.virtual_time import run_at_once

from asgi_resync import Backoff, ResourceFailed
from asgi_resync.events import (
    ResourceAbandoned,
    ResourceDown,
    ResourceRetryScheduled,
    ResourceStopped,
    ResourceUp,
)
from asgi_resync.resources.resource import Report
from asgi_resync.resources.supervisor import Supervisor


async def test_independent_ones_start_side_by_side_and_dependants_after_them() -> None:
    """And all of it is undone the other way round."""
    house = House()
    house.gates = {"a": asyncio.Event(), "b": asyncio.Event()}
    supervisor = house.supervisor([house.make("top", "a", "b"), house.make("a"), house.make("b")])
    starting = asyncio.create_task(supervisor.start(10))
    await until(lambda: len(house.order) == 2)
    assert {"start a", "start b"} == set(house.order)

    house.gates["a"].set()
    await until(lambda: supervisor["a"].is_up)
    assert "start top" not in house.order
    house.gates["b"].set()
    await starting
    await supervisor.stop(10)

    assert ["start top", "top is up", "stop top"] == house.order[-5:-2]
    assert {"stop a", "stop b"} == set(house.order[-2:])
    assert {"stopped"} == {standing.state for standing in supervisor.values()}


def test_a_critical_one_is_tried_until_it_comes() -> None:
    """With waits that grow, and each is told."""

    async def test() -> None:
        house = House()
        house.failing["db"] = [ConnectionRefusedError(), TimeoutError(), OSError()]
        supervisor = house.supervisor([house.make("db")])
        await supervisor.start(30)

        assert supervisor["db"].is_up
        retries = [event for event in house.events if isinstance(event, ResourceRetryScheduled)]
        assert [("ConnectionRefusedError", 1), ("TimeoutError", 2), ("OSError", 3)] == [
            (event.cause, event.attempt) for event in retries
        ]
        assert all(0 <= event.wait <= most for event, most in zip(retries, (1, 2, 4), strict=True))
        assert [4] == [event.attempts for event in house.events if isinstance(event, ResourceUp)]
        await supervisor.stop(1)

    run_at_once(test())


def test_a_critical_one_that_does_not_come_stops_the_start_with_one_error() -> None:
    """It names the resource, the attempts, the cause and what to do; what was up is stopped again."""

    async def test() -> None:
        house = House()
        house.failing["db"] = [ConnectionRefusedError("port 5432") for _ in range(1000)]
        supervisor = house.supervisor([house.make("disk"), house.make("db", "disk"), house.make("graph", "db")])
        began = asyncio.get_running_loop().time()
        with pytest.raises(ResourceFailed) as caught:
            await supervisor.start(30)
        error = caught.value

        assert 30 <= asyncio.get_running_loop().time() - began < 31
        assert "db" == error.resource
        assert error.attempts > 3
        assert isinstance(error.__cause__, ConnectionRefusedError)
        assert ("graph",) == error.others
        for words in ("'db'", f"{error.attempts} times", "port 5432", "RESYNC_STARTUP_TIMEOUT", "critical=False"):
            assert words in str(error)
        assert str(error) == str(pickle.loads(pickle.dumps(error)))
        assert "stop disk" == house.order[-1]
        assert not supervisor.is_running

    run_at_once(test())


def test_a_mistake_is_not_waited_for() -> None:
    """What no waiting mends ends the start at once."""

    async def test() -> None:
        house = House()
        house.failing["db"] = [TypeError("open() takes no argument")]
        supervisor = house.supervisor([house.make("db")])
        with pytest.raises(ResourceFailed, match="TypeError") as caught:
            await supervisor.start(30)

        assert 1 == caught.value.attempts
        assert asyncio.get_running_loop().time() < 1

    run_at_once(test())


def test_a_start_that_hangs_is_ended_by_its_own_timeout() -> None:
    """Each attempt has one, and the start-up as a whole has its own, whichever is earlier."""

    async def test() -> None:
        house = House()
        house.gates["db"] = asyncio.Event()
        supervisor = house.supervisor([house.make("db", timeout=5)])
        with pytest.raises(ResourceFailed, match="not done within 5 s"):
            await supervisor.start(30)
        with pytest.raises(ResourceFailed, match="it has not answered yet"):
            await supervisor.start(3)

    run_at_once(test())


def test_an_optional_one_delays_no_start_and_joins_when_it_comes() -> None:
    """It is tried for ever, with waits no longer than their cap."""

    async def test() -> None:
        house = House()
        house.failing["graph"] = [OSError() for _ in range(200)]
        supervisor = house.supervisor([house.make("graph", critical=False)])
        await supervisor.start(30)
        assert asyncio.get_running_loop().time() == 0
        assert supervisor.is_ready
        assert not supervisor.is_whole

        await until(lambda: supervisor.is_whole, step=5)
        waits = [event.wait for event in house.events if isinstance(event, ResourceRetryScheduled)]
        assert 200 == len(waits)
        assert max(waits) <= 8
        downs = [event for event in house.events if isinstance(event, ResourceDown)]
        assert [ResourceDown(resource="graph", cause="OSError", critical=False)] == downs
        await supervisor.stop(1)

    run_at_once(test())


def test_an_optional_one_may_be_waited_for() -> None:
    """As long as is said, and no longer than it takes."""

    async def test() -> None:
        house = House()
        house.gates["slow"] = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_later(2, house.gates["slow"].set)
        supervisor = house.supervisor([house.make("slow", critical=False)])
        await supervisor.start(30, wait=1)
        assert 1 == round(loop.time(), 3)
        await supervisor.stop(1)
        await supervisor.start(30, wait=60)

        assert supervisor.is_whole
        assert loop.time() < 3
        await supervisor.stop(1)

    run_at_once(test())


def test_what_a_critical_one_needs_is_waited_for_though_it_is_optional() -> None:
    """It is critical for as long as something critical stands on it."""

    async def test() -> None:
        house = House()
        house.failing["cache"] = [OSError()]
        supervisor = house.supervisor([house.make("cache", critical=False), house.make("app", "cache")])
        await supervisor.start(30)

        assert supervisor["cache"].is_up
        assert [True] == [event.critical for event in house.events if isinstance(event, ResourceDown)]
        await supervisor.stop(1)

    run_at_once(test())


def test_a_stop_has_an_end_and_names_what_it_had_to_abandon() -> None:
    """What stands on a stuck one is stopped before, what it stands on after, and all within the time."""

    async def test() -> None:
        house = House()
        house.stuck = {"middle"}
        supervisor = house.supervisor([house.make("base"), house.make("middle", "base"), house.make("top", "middle")])
        await supervisor.start(30)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await supervisor.stop(9)

        assert loop.time() - began <= 9.1
        assert ["stop top", "stop middle", "stop base"] == house.order[-3:]
        assert [("ResourceAbandoned", "middle")] == house.told(ResourceAbandoned)
        assert [("ResourceStopped", "top"), ("ResourceStopped", "base")] == house.told(ResourceStopped)
        assert ["stopped", "abandoned", "stopped"] == [supervisor[name].state for name in ("base", "middle", "top")]

    run_at_once(test())


def test_a_stop_that_will_not_be_cancelled_is_left_behind() -> None:
    """The app ends all the same, in time, and says which one it was."""

    async def test() -> None:
        house = House()
        free = asyncio.Event()
        deaf = house.make("deaf", "base", stop=lambda: heedless(free))
        supervisor = house.supervisor([house.make("base"), deaf])
        await supervisor.start(30)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await supervisor.stop(4)

        assert loop.time() - began < 4.2
        assert "stop base" == house.order[-1]
        assert [("ResourceAbandoned", "deaf")] == house.told(ResourceAbandoned)
        free.set()
        await asyncio.sleep(1)

    run_at_once(test())


def test_a_run_that_will_not_be_cancelled_leaves_its_stop_some_time() -> None:
    """What it holds is given back, and it is named."""

    async def test() -> None:
        house = House()
        free = asyncio.Event()
        supervisor = house.supervisor([house.make("base"), house.make("deaf", "base", run=lambda: heedless(free))])
        await supervisor.start(30)
        await until(lambda: "deaf is up" in house.order)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await supervisor.stop(4)

        assert loop.time() - began < 4.2
        assert ["stop deaf", "stop base"] == [one for one in house.order if "stop" in one]
        assert [("ResourceAbandoned", "deaf")] == house.told(ResourceAbandoned)
        free.set()
        await asyncio.sleep(1)

    run_at_once(test())


@pytest.mark.parametrize("moment", ["while it starts", "while it waits for the next attempt", "once it is up"])
def test_a_cancelled_start_stops_what_it_had_started(moment: str) -> None:
    """Whatever was under way: nothing runs afterwards, and each start that returned was stopped once."""

    async def test() -> None:
        house = House()
        if moment == "while it starts":
            house.gates["db"] = asyncio.Event()
        elif moment == "while it waits for the next attempt":
            house.failing["db"] = [OSError() for _ in range(100)]
        supervisor = house.supervisor(
            [house.make("disk"), house.make("db", "disk"), house.make("slow", critical=False)]
        )
        house.gates["slow"] = asyncio.Event()
        starting = asyncio.create_task(supervisor.start(1000, wait=1000))
        await asyncio.sleep(5)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

        was_up = moment == "once it is up"
        assert (["stop db"] if was_up else []) + ["stop disk"] == [one for one in house.order if "stop" in one]
        assert 1 == len(asyncio.all_tasks())

    run_at_once(test())


def test_a_cancelled_stop_still_stops_everything() -> None:
    """It has an end of its own, so who is in a hurry waits for that, and is cancelled then."""

    async def test() -> None:
        house = House()
        house.stuck = {"db"}
        supervisor = house.supervisor([house.make("disk"), house.make("db", "disk")])
        await supervisor.start(30)
        stopping = asyncio.create_task(supervisor.stop(4))
        await asyncio.sleep(1)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping

        assert ["stop db", "stop disk"] == house.order[-2:]
        assert 1 == len(asyncio.all_tasks())

    run_at_once(test())


def test_a_loop_that_ends_unasked_stops_them_in_order() -> None:
    """Where the server plays no lifespan, nobody calls `stop`: the end of the loop does."""
    house = House()

    async def serve() -> None:
        await house.supervisor([house.make("disk"), house.make("db", "disk"), house.make("top", "db")]).start(10)

    asyncio.run(serve())

    assert ["stop top", "stop db", "stop disk"] == house.order[-3:]


def test_a_task_that_dies_is_told_at_once_and_started_again() -> None:
    """A dead watcher is not first noticed at shutdown; its resource is stopped before it is started again."""

    async def test() -> None:
        house = House()
        runs: list[asyncio.Future[None]] = []

        async def run() -> None:
            runs.append(asyncio.get_running_loop().create_future())
            await runs[-1]

        supervisor = house.supervisor([house.make("watcher", run=run, critical=False)])
        await supervisor.start(30)
        await until(lambda: runs)
        for number in range(20):
            runs[-1].set_exception(ValueError()) if number % 2 else runs[-1].set_result(None)
            await until(lambda count=number: len(runs) == count + 2, step=1)  # type: ignore[misc]  # a default is the value
        assert supervisor["watcher"].is_up
        assert ["RunEnded", "ValueError"] == [event.cause for event in house.events if isinstance(event, ResourceDown)][
            :2
        ]
        starts, stops = house.order.count("start watcher"), house.order.count("stop watcher")
        await supervisor.stop(1)

        assert (21, 20) == (starts, stops)
        assert runs[-1].cancelled()
        assert "stop watcher" == house.order[-1]

    run_at_once(test())


def test_success_resets_the_counter_of_attempts() -> None:
    """A task that has run for long begins with short waits again: no failure in the past counts for ever."""

    async def test() -> None:
        house = House()

        async def run() -> None:
            await asyncio.sleep(100)
            raise OSError

        supervisor = house.supervisor([house.make("watcher", run=run, critical=False)])
        await supervisor.start(30)
        await asyncio.sleep(10_000)

        assert 95 <= house.order.count("start watcher") <= 100
        assert [] == house.told(ResourceRetryScheduled)
        await supervisor.stop(1)

    run_at_once(test())


def test_a_check_that_fails_takes_it_down_until_one_succeeds() -> None:
    """By raising, by returning False, or by taking too long."""

    async def test() -> None:
        house = House()
        answers: list[object] = [True, OSError(), False, "hang", None]

        async def check() -> object:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            if answer == "hang":
                await asyncio.Event().wait()
            return answer

        supervisor = house.supervisor([house.make("db", check=check, retry=Backoff(first=1e6, most=1e6))])
        await supervisor.look("db")
        await supervisor.start(30)
        seen = []
        while answers:
            await supervisor.look("db")
            seen.append((supervisor["db"].state, supervisor["db"].cause))
        await supervisor.stop(1)
        await supervisor.look("db")

        down = ("down", "OSError")
        assert [("up", None), down, down, down, ("up", None)] == seen
        assert ["ResourceUp", "ResourceDown", "ResourceUp", "ResourceStopped"] == [kind for kind, _ in house.told()]

    run_at_once(test())


async def test_one_that_looks_after_itself_says_how_it_is() -> None:
    """It is not up when its start returns, but when it says so."""
    house = House()
    reports: list[Report] = []
    supervisor = house.supervisor([house.make("redis", tells=reports.append, critical=False)])
    reports[0]("unheard: it was not started")
    await supervisor.start(10)
    await until(lambda: "redis is up" in house.order)
    states = [supervisor["redis"].state]
    for word in (None, "ConnectionError", "again", None):
        reports[0](word)
        states.append(supervisor["redis"].state)
    await supervisor.stop(1)
    reports[0]("stopped")

    assert ["starting", "up", "down", "down", "up"] == states
    assert "stopped" == supervisor["redis"].state


async def test_it_can_be_started_again_and_twice_is_once() -> None:
    """A second start waits for the first, a second stop does nothing."""
    house = House()
    supervisor = house.supervisor([house.make("db")])
    for _ in range(2):
        await asyncio.gather(supervisor.start(10), supervisor.start(10))
        await supervisor.stop(1)
        await supervisor.stop(1)

    assert ["start db", "db is up", "stop db"] * 2 == house.order


async def test_acts_that_are_not_async_will_do() -> None:
    """As for what only opens or closes something in memory."""
    house = House()
    supervisor = house.supervisor(
        [house.make("memory", start=lambda: house.order.append("open"), stop=lambda: house.order.append("close"))]
    )
    await supervisor.start(10)
    await supervisor.stop(1)

    assert ["open", "close"] == house.order


def test_start_and_stop_run_in_one_task() -> None:
    """So a task group may be entered in the one and left in the other."""

    async def test() -> None:
        tasks = []
        house = House()
        supervisor = house.supervisor(
            [
                house.make(
                    "group",
                    start=lambda: tasks.append(asyncio.current_task()),
                    stop=lambda: tasks.append(asyncio.current_task()),
                )
            ]
        )
        await supervisor.start(10)
        await supervisor.stop(1)

        assert 2 == len(tasks)
        assert tasks[0] is tasks[1]

    run_at_once(test())


async def test_a_stop_that_raises_harms_no_other() -> None:
    """It is named, and those below it are stopped as ever."""
    house = House()

    async def stop() -> None:
        raise OSError

    supervisor = house.supervisor([house.make("disk"), house.make("db", "disk", stop=stop)])
    await supervisor.start(10)
    await supervisor.stop(1)

    assert [ResourceAbandoned(resource="db", phase="stopping", cause="OSError")] == [
        event for event in house.events if isinstance(event, ResourceAbandoned)
    ]
    assert "stop disk" == house.order[-1]


def test_waits_are_random_within_a_bound_that_doubles() -> None:
    """So that a crowd of processes does not come back at once."""

    async def test() -> None:
        seen = set()
        for _ in range(5):
            house = House()
            house.failing["db"] = [OSError()]
            supervisor = house.supervisor([house.make("db", retry=Backoff(first=1, most=1))])
            await supervisor.start(30)
            await supervisor.stop(1)
            seen |= {event.wait for event in house.events if isinstance(event, ResourceRetryScheduled)}

        assert 5 == len(seen)

    run_at_once(test())


def test_a_name_that_is_not_there_is_told() -> None:
    """With those that are."""
    house = House()
    supervisor = house.supervisor([house.make("db")])
    with pytest.raises(KeyError, match="there are db"):
        supervisor["bd"]

    assert "idle" == supervisor["db"].state
    assert ["db"] == list(supervisor)
    assert {} == dict(Supervisor())


def test_what_looks_after_itself_took_no_longer_because_it_was_away() -> None:
    """Its latency is that of its first connection: nobody here knows how long it took to come back."""

    async def test() -> None:
        house, reports = House(), list[Report]()
        supervisor = house.supervisor([house.make("redis", tells=reports.append, critical=False)])
        await supervisor.start(30)
        for seconds, cause in ((1, None), (4, "lost"), (4, None)):
            await asyncio.sleep(seconds)
            reports[0](cause)
        standing = supervisor["redis"]
        ups = [event.seconds for event in house.events if isinstance(event, ResourceUp)]
        await supervisor.stop(1)

        assert standing.is_up
        assert pytest.approx(1.0) == standing.latency
        assert [pytest.approx(1.0), 0.0] == ups

    run_at_once(test())


@pytest.mark.parametrize("act", ["start", "check"])
def test_an_act_that_raises_a_cancellation_of_its_own_has_failed(act: str) -> None:
    """Something that it waited for was cancelled: that is no reason to stop the app."""

    async def test() -> None:
        house = House()
        answers: list[BaseException | None] = [asyncio.CancelledError(), None, None]

        def raising() -> None:
            if (answer := answers.pop(0)) is not None:
                raise answer

        acts = {act: raising}
        supervisor = house.supervisor([house.make("disk"), house.make("db", "disk", critical=False, **acts)])
        await supervisor.start(30)
        await supervisor.look("db")
        await until(lambda: supervisor["db"].is_up)

        assert {"ResourceDown", "ResourceUp"} <= {kind for kind, name in house.told() if name == "db"}
        assert "stop disk" not in house.order
        assert supervisor["disk"].is_up
        await supervisor.stop(1)

    run_at_once(test())


def test_what_a_check_found_down_is_looked_at_again_though_nobody_asks() -> None:
    async def test() -> None:
        house = House()
        answers: list[bool] = [False, False, False, True]
        supervisor = house.supervisor([house.make("db", check=lambda: answers.pop(0), critical=False)])
        await supervisor.start(30, wait=30)
        await supervisor.look("db")
        assert "down" == supervisor["db"].state

        await until(lambda: supervisor["db"].is_up)
        assert not answers
        await supervisor.stop(1)
        assert 1 == len(asyncio.all_tasks())

    run_at_once(test())


def test_nothing_is_looked_at_once_it_stops() -> None:
    async def test() -> None:
        house = House()
        supervisor = house.supervisor([house.make("db", check=lambda: False)])
        await supervisor.start(30)
        await supervisor.look("db")
        await supervisor.stop(1)

        assert 1 == len(asyncio.all_tasks())
        assert ["stop db"] == house.order[-1:]

    run_at_once(test())


def test_a_check_of_before_says_nothing_of_what_has_died_since() -> None:
    """Its `run` has ended and it is being stopped: a check that began while it ran cannot call it up."""

    async def test() -> None:
        house = House()
        dies, answered, closing = asyncio.Event(), asyncio.Event(), asyncio.Event()
        resource = house.make("db", run=dies.wait, check=answered.wait, stop=closing.wait, timeout=1000)
        supervisor = house.supervisor([resource])
        await supervisor.start(30)
        looking = asyncio.create_task(supervisor.look("db"))
        await asyncio.sleep(1)
        dies.set()
        await asyncio.sleep(1)
        answered.set()
        await looking

        assert "down" == supervisor["db"].state
        closing.set()
        await supervisor.stop(1)

    run_at_once(test())


def test_a_stop_that_comes_while_a_dead_task_is_cleared_away_starts_nothing() -> None:
    async def test() -> None:
        house = House()
        dies, closing = asyncio.Event(), asyncio.Event()
        supervisor = house.supervisor([house.make("db", run=dies.wait, stop=closing.wait, timeout=1000)])
        await supervisor.start(30)
        dies.set()
        await asyncio.sleep(1)
        stopping = asyncio.create_task(supervisor.stop(100))
        await asyncio.sleep(1)
        closing.set()
        await stopping

        assert 1 == house.order.count("start db")
        assert "stopped" == supervisor["db"].state

    run_at_once(test())


def test_a_start_that_finishes_though_it_is_cancelled_is_stopped() -> None:
    async def test() -> None:
        house = House()

        async def start() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                house.order.append("connected all the same")

        supervisor = house.supervisor([house.make("db", start=start, critical=False)])
        await supervisor.start(30)
        await asyncio.sleep(1)
        await supervisor.stop(5)

        assert ["connected all the same", "stop db"] == house.order
        assert not house.told(ResourceAbandoned)

    run_at_once(test())


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        ("ConnectionRefusedError", "ConnectionRefusedError"),
        ("redis.ConnectionError", "redis.ConnectionError"),
        ("refused by 10.0.0.7:6379", "Down"),
        ("", "Down"),
        ("x" * 64, "Down"),
    ],
)
async def test_one_that_looks_after_itself_may_be_down_from_the_start(word: str, cause: str) -> None:
    """And says why, if that is a word: health holds no text of another service."""
    house = House()
    reports: list[Report] = []
    supervisor = house.supervisor([house.make("redis", tells=reports.append, critical=False)])
    await supervisor.start(10)
    await until(lambda: "redis is up" in house.order)
    reports[0](word)

    assert ("down", cause) == (supervisor["redis"].state, supervisor["redis"].cause)
    reports[0](None)
    assert supervisor["redis"].is_up
    await supervisor.stop(1)
