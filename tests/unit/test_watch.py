"""The watcher of the config file: what the original's did wrong, each by its name, and whatever befalls a file."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asgi_resync import Resource, Resync, Settings, events
from asgi_resync.resources.debounce import Debounce
from asgi_resync.resources.hangup import Hangup
from asgi_resync.resources.supervisor import Supervisor
from asgi_resync.resources.watch import Watcher, folders, look

PATIENCE = 20.0
"""Seconds that a busy machine gets for what takes milliseconds."""


class Reader:
    """Reads a watched file whenever it is told to, as the settings do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read: asyncio.Queue[str | None] = asyncio.Queue()
        self.calls = 0

    async def __call__(self, is_whole: Callable[[], bool]) -> None:
        self.calls += 1
        try:
            self.read.put_nowait(self.path.read_text())
        except OSError:
            self.read.put_nowait(None)

    async def until(self, text: str | None) -> None:
        """Wait until what was read last is *text*."""
        async with asyncio.timeout(PATIENCE):
            while await self.read.get() != text:
                pass


@asynccontextmanager
async def watched(reader: Reader, *, notices: bool = False) -> AsyncIterator[Watcher]:
    """Watch what *reader* reads; with *notices* by those alone, after the first look."""
    watcher = Watcher(str(reader.path), reader, poll=3600 if notices else 0.01, quiet=0.02, longest=0.5)
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait({task})


def write(path: Path, text: str) -> None:
    path.write_text(text)


def rename_over(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.swp")
    beside.write_text(text)
    beside.replace(path)


def delete_and_write(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


@pytest.mark.parametrize("notices", [False, True], ids=["looks", "notices"])
@pytest.mark.parametrize("change", [write, rename_over, delete_and_write])
async def test_a_change_is_read_however_it_is_made(
    tmp_path: Path, change: Callable[[Path, str], None], notices: bool
) -> None:
    """Editors write, rename and delete; a watch of the file itself is lost by the last two."""
    reader = Reader(tmp_path / "resync.toml")
    reader.path.write_text("first")
    async with watched(reader) as watcher:
        await reader.until("first")
        watcher._poll = 3600 if notices else 0.01
        for text in ("second", "the third"):
            if notices:
                # Until the operating system is listened to, nothing can be heard.
                await _listened(reader, change, text)
            else:
                change(reader.path, text)
                await reader.until(text)


async def _listened(reader: Reader, change: Callable[[Path, str], None], text: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            change(reader.path, text)
            try:
                async with asyncio.timeout(0.5):
                    while await reader.read.get() != text:
                        pass
                return
            except TimeoutError:
                continue


async def test_a_missing_file_is_waited_for(tmp_path: Path) -> None:
    """The original tried five times, and was dead for the life of the process."""
    reader = Reader(tmp_path / "later" / "resync.toml")
    async with watched(reader):
        await reader.until(None)
        reader.path.parent.mkdir()
        reader.path.write_text("there")
        await reader.until("there")


async def test_a_directory_that_is_deleted_and_comes_back_is_watched_again(tmp_path: Path) -> None:
    """Twice, as the watch of the first one dies with it."""
    reader = Reader(tmp_path / "config" / "resync.toml")
    async with watched(reader):
        for text in ("one", "two"):
            reader.path.parent.mkdir()
            reader.path.write_text(text)
            await reader.until(text)
            shutil.rmtree(reader.path.parent)
            await reader.until(None)


async def test_the_swap_of_a_symbolic_link_is_a_change(tmp_path: Path) -> None:
    """As Kubernetes does it: `resync.toml` leads to `..data`, which leads to a directory that is swapped."""
    reader = Reader(tmp_path / "resync.toml")
    for text in ("one", "two"):
        (tmp_path / f"..{text}").mkdir()
        (tmp_path / f"..{text}" / "resync.toml").write_text(text)
    (tmp_path / "..data").symlink_to("..one")
    reader.path.symlink_to("..data/resync.toml")
    async with watched(reader):
        await reader.until("one")
        (tmp_path / "..tmp").symlink_to("..two")
        (tmp_path / "..tmp").replace(tmp_path / "..data")
        await reader.until("two")

    assert set(folders(str(reader.path))) == {str(tmp_path), str(tmp_path / "..two")}


async def test_files_beside_it_are_not_its_changes(tmp_path: Path) -> None:
    """Swap files of editors come and go while somebody writes."""
    reader = Reader(tmp_path / "resync.toml")
    reader.path.write_text("first")
    async with watched(reader):
        await reader.until("first")
        for number in range(50):
            (tmp_path / f".resync.toml.{number}.swp").write_text("x")
            await asyncio.sleep(0)
        reader.path.write_text("second")
        await reader.until("second")

    assert reader.calls == 2


def test_new_permissions_are_a_change(tmp_path: Path) -> None:
    """A file that could not be read, and now can, is read: nothing else about it is new."""
    path = tmp_path / "resync.toml"
    path.write_text("text")
    before = look(str(path))
    path.chmod(0o000)
    between = look(str(path))
    path.chmod(0o644)

    assert len({before, between, look(str(path))}) == 3
    assert look(str(path / "below")) == ("NotADirectoryError",)
    assert look("a\0b") == ("ValueError",)


async def test_a_reader_that_fails_kills_no_watcher(tmp_path: Path) -> None:
    """The original's was called with an argument too many: the fifth change ended it, without a word."""
    reader = Reader(tmp_path / "resync.toml")
    reader.path.write_text("first")
    failures: list[object] = []
    waits: list[float] = []
    fails = [TypeError()] * 20

    async def slept(seconds: float) -> None:
        waits.append(seconds)

    async def read(is_whole: Callable[[], bool]) -> None:
        if fails:
            raise fails.pop()
        await reader(is_whole)

    watcher = Watcher(
        str(reader.path),
        read,
        on_failure=lambda where, error: failures.append(error),
        poll=0.01,
        quiet=0.01,
        sleep=slept,
    )
    task = asyncio.create_task(watcher.run())
    await reader.until("first")
    first, waits[:] = list(waits), []
    fails += [TypeError()] * 3
    reader.path.write_text("second")
    await reader.until("second")
    task.cancel()
    await asyncio.wait({task})

    assert len(failures) == 23
    assert max(first) <= 30.0
    # The counter began anew: no wait is as long as after twenty failures it may be.
    assert len(waits) == 3
    assert max(waits) <= 0.25 * 2**3


async def test_a_watcher_that_dies_is_started_again() -> None:
    """The original noticed its dead tasks when it was shut down."""
    told: list[events.Event] = []
    called = asyncio.Event()
    deaths = [RuntimeError("dead")]

    async def looked(path: str) -> tuple[object, ...]:
        if deaths:
            raise deaths.pop()
        return ()

    async def change(is_whole: Callable[[], bool]) -> None:
        called.set()

    async def slept(seconds: float) -> None:
        await asyncio.sleep(0)

    watcher = Watcher("x", change, looked=looked, quiet=0.0)
    supervisor = Supervisor([Resource("config", run=watcher.run, critical=False)], on_event=told.append, sleep=slept)
    supervisor.begin()
    async with asyncio.timeout(PATIENCE):
        await called.wait()
    await supervisor.stop(5)

    assert any(isinstance(event, events.ResourceDown) for event in told)


async def test_the_last_write_of_a_burst_is_the_one_that_counts(tmp_path: Path) -> None:
    """The original dropped what came within a second of a reload, the last write too."""
    reader = Reader(tmp_path / "resync.toml")
    reader.path.write_text("first")
    async with watched(reader):
        await reader.until("first")
        for number in range(200):
            reader.path.write_text(f"{number}")
            await asyncio.sleep(0)
        await reader.until("199")

    assert reader.calls < 50


def test_a_burst_ends_after_its_last_change_or_in_time() -> None:
    """The edge that trails; and one that never comes is not waited for."""
    burst = Debounce(1.0, 3.0)
    assert burst.left(0.0) is None
    burst.note(10.0)
    assert burst.left(10.4) == pytest.approx(0.6)
    burst.note(10.8)
    assert burst.left(11.0) == pytest.approx(0.8)
    for tenth in range(109, 130):
        burst.note(tenth / 10)
    assert burst.left(12.9) == pytest.approx(0.25)
    assert burst.left(13.5) == 0.0
    burst.end()

    assert burst.left(13.5) is None


async def test_a_file_that_is_half_written_is_not_taken_for_whole(tmp_path: Path) -> None:
    """Who writes over a file empties it first, and an empty one is as good as any: it would reset everything."""
    path = tmp_path / "resync.toml"
    path.write_text("[cache]\nkeep = 5")
    told: list[events.Event] = []
    resync = Resync.from_env({"RESYNC_CONFIG_FILE": str(path)}, on_event=told.append)
    path.write_text("")
    whole = look(str(path))

    def is_whole() -> bool:
        path.write_text("[cache]\nkeep = 6")
        return look(str(path)) == whole

    await resync._reloader.reload(is_whole)

    assert resync.settings.cache.keep == 5.0
    assert told == []


async def test_a_running_app_takes_up_its_file(tmp_path: Path) -> None:
    """The whole way: a file, its change, a bad one, a good one; `config` is a resource that is up."""
    path = tmp_path / "resync.toml"
    path.write_text("[cache]\nkeep = 1")
    outcomes: asyncio.Queue[events.Event] = asyncio.Queue()

    def told(event: events.Event) -> None:
        if isinstance(event, (events.ConfigApplied, events.ConfigRefused)):
            outcomes.put_nowait(event)

    resync = Resync.from_env({"RESYNC_CONFIG_FILE": str(path)}, on_event=told)
    # It changes between the reading and the start.
    path.write_text("[cache]\nkeep = 2")
    async with asyncio.timeout(PATIENCE), resync.lifespan():
        assert isinstance(await outcomes.get(), events.ConfigApplied)
        assert resync.settings.cache.keep == 2.0
        rename_over(path, "[cache]\nkeep = 'soon'")
        refused = await outcomes.get()
        assert isinstance(refused, events.ConfigRefused)
        assert resync.resources["config"].state == "up"
        rename_over(path, "[cache]\nkeep = 3")
        await outcomes.get()
        assert resync.cache.options.keep == 3.0


async def test_a_hangup_has_the_file_read_and_steals_no_handler(tmp_path: Path) -> None:
    """Who handled the signal before is called too, and has it back in the end."""
    path = tmp_path / "resync.toml"
    path.write_text("")
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: heard.append(number))
    mine = signal.getsignal(signal.SIGHUP)
    up, refused = asyncio.Event(), asyncio.Event()

    def told(event: events.Event) -> None:
        if isinstance(event, events.ResourceUp):
            up.set()
        elif isinstance(event, events.ConfigRefused):
            refused.set()

    try:
        environ = {"RESYNC_CONFIG_FILE": str(path), "RESYNC_RELOAD_ON_SIGHUP": "true"}
        resync = Resync.from_env(environ, on_event=told)
        async with asyncio.timeout(PATIENCE), resync.lifespan():
            await up.wait()
            resync._reloader.environ = {"RESYNC_CONFIG_FILE": "/no/such/file"}
            os.kill(os.getpid(), signal.SIGHUP)
            await refused.wait()
        assert signal.getsignal(signal.SIGHUP) == mine
    finally:
        signal.signal(signal.SIGHUP, before)

    assert heard == [signal.SIGHUP]


def test_a_hangup_is_left_alone_unless_it_is_asked_for(tmp_path: Path) -> None:
    """Nobody's handler is touched, and one that was taken since is not taken back."""
    path = tmp_path / "resync.toml"
    path.write_text("")
    before = signal.getsignal(signal.SIGHUP)
    resync = Resync.from_env({"RESYNC_CONFIG_FILE": str(path)})

    async def live() -> None:
        async with resync.lifespan():
            assert signal.getsignal(signal.SIGHUP) == before

    asyncio.run(live())
    acts: list[str] = []
    inner, outer = Hangup(lambda: acts.append("inner")), Hangup(lambda: acts.append("outer"))
    try:
        inner.install()
        inner.install()
        outer.install()
        signal.raise_signal(signal.SIGHUP)
        assert acts == ["outer", "inner"]
        inner.remove()
        signal.raise_signal(signal.SIGHUP)
        assert acts == ["outer", "inner", "outer"]
        outer.remove()
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_outside_the_main_thread_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Python sets handlers in the main thread only; an app that starts elsewhere starts all the same."""
    await asyncio.to_thread(Hangup(lambda: None).install)

    assert "SIGHUP does not have the settings read again" in caplog.text


async def test_two_loops_apply_a_change_once(tmp_path: Path) -> None:
    """The watcher lives in the first; a second lifespan in another loop brings no second one."""
    path = tmp_path / "resync.toml"
    path.write_text("")
    applied: list[events.Event] = []
    resync = Resync.from_env(
        {"RESYNC_CONFIG_FILE": str(path)},
        on_event=lambda event: applied.append(event) if isinstance(event, events.ConfigApplied) else None,
    )

    def elsewhere() -> None:
        async def live() -> None:
            async with resync.lifespan():
                await resync.reload()

        asyncio.run(live())

    async with asyncio.timeout(PATIENCE), resync.lifespan():
        path.write_text("[cache]\nkeep = 7")
        await asyncio.gather(resync.reload(), asyncio.to_thread(elsewhere), resync.reload())
        assert resync.settings.cache.keep == 7.0

    assert len(applied) == 1


async def test_a_log_beside_the_file_is_no_notice(tmp_path: Path) -> None:
    """What tells of changes writes to the log, which would be a change again, and so on for ever."""
    path = tmp_path / "resync.toml"
    path.write_text("")
    (tmp_path / "..data").symlink_to(tmp_path)
    log = tmp_path / "app.log"
    handler, logger, reader = logging.FileHandler(log), logging.getLogger("watchfiles.main"), Reader(path)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        async with watched(reader, notices=True) as watcher:
            await reader.until("")
            for number in range(5):
                path.write_text(str(number))
                await reader.until(str(number))
            for name in ("resync.toml", "..data", "gone"):
                assert watcher._may_concern(str(tmp_path / name))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()

    # Of two files, one would be the log.
    assert {"1 change detected"} == set(log.read_text().splitlines())


async def test_a_hangup_without_a_file_ends_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Who asks for SIGHUP to mean something else does not want it to end the process."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        async with asyncio.timeout(PATIENCE), Resync.from_env({"RESYNC_RELOAD_ON_SIGHUP": "true"}).lifespan():
            while signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # noqa: ASYNC110 - whoever starts it tells nobody
                await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
    assert "RESYNC_CONFIG_FILE" in caplog.text


async def test_the_level_of_the_log_is_changed_live_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "resync.toml"
    path.write_text("")
    logger = logging.getLogger("asgi_resync")
    before = logger.level
    resync = Resync.from_env({"RESYNC_CONFIG_FILE": str(path)})
    levels = []
    for text in ('log_level = "debug"', 'log_level = "error"', 'log_level = "loud"', ""):
        path.write_text(text)
        await resync.reload()
        levels.append(logger.level)
    logger.setLevel(logging.CRITICAL)
    await resync.reload()
    levels.append(logger.level)
    logger.setLevel(before)

    # What the app has set since is the app's.
    assert [logging.DEBUG, logging.ERROR, logging.ERROR, before, logging.CRITICAL] == levels


async def test_settings_that_code_has_given_are_no_error_at_each_start(tmp_path: Path) -> None:
    """Their file is not read again. Whoever changes it, or asks for it, is told why."""
    path = tmp_path / "resync.toml"
    path.write_text("[cache]\nkeep = 2")
    refused: list[events.Event] = []
    resync = Resync(Settings.from_env({"RESYNC_CONFIG_FILE": str(path)}), on_event=refused.append)
    first = await resync._reloader.reload(lambda: True)
    changed = await resync._reloader.reload(lambda: True)
    asked = await resync.reload()

    assert [False, True, True] == [isinstance(one, events.ConfigRefused) for one in (first, changed, asked)]
    assert [changed, asked] == refused
    assert 2.0 == resync.settings.cache.keep
