"""Watches a file, whatever becomes of it, and calls who wants to know. It reads nothing of what is in it.

What it goes by is what the path leads to now, so it is the same whether the file is written over, renamed into its
place, or reached by a symbolic link that is swapped, and whether it, or its directory, is deleted and comes back.
Notices of the operating system (extra `watch`) only make it look sooner than once a second.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TypeAlias

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from .._asgi import Clock
from .debounce import Debounce

POLL = 1.0
"""Seconds between two looks, where nothing says that something has changed."""
QUIET = 0.2
"""Seconds without a change after which whoever wrote the file is done."""
LONGEST = 2.0
"""Seconds after which a file that goes on changing is read at the next occasion."""
LONGEST_WAIT = 30.0
"""Seconds at most, between attempts that fail; the first waits are up to a quarter of one."""

READING, WATCHING = "reading the settings again", "watching the config file"

OnChange: TypeAlias = Callable[[Callable[[], bool]], Awaitable[object]]

Look: TypeAlias = tuple[object, ...]
"""What a path leads to: equal as long as that is the same, unchanged file, or missing for the same reason."""

_log = logging.getLogger("asgi_resync")


def look(path: str) -> Look:
    """Return what *path* leads to now. Raises nothing; it may wait for a disk."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        return (type(error).__name__,)
    # Of the times, only that of the last change of the inode tells of new permissions.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def folders(path: str) -> dict[str, Look]:
    """Return the directories in which *path* may come to lead elsewhere, as far as there are any now."""
    found: dict[str, Look] = {}
    for name in {os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))}:
        try:
            status = os.stat(name)
        except OSError:
            continue
        found[name] = (status.st_dev, status.st_ino)
    return found


async def _looked(path: str) -> Look:
    return await asyncio.to_thread(look, path)


class Watcher:
    """Calls *on_change* after *path* has come to lead to something else, and once at the beginning of `run`.

    It waits until a burst of changes is over. *on_change* is given a function that says whether the file is still what
    it was when the burst ended, as one that is written over is empty for a moment; that function waits for a disk. What
    *on_change* raises is told to *on_failure*, and it is called again, after a random time that grows, until it
    returns. Times are in seconds. Nothing is bound to a loop before `run`.
    """

    def __init__(
        self,
        path: str,
        on_change: OnChange,
        *,
        on_failure: Callable[[str, BaseException], None] | None = None,
        poll: float = POLL,
        quiet: float = QUIET,
        longest: float = LONGEST,
        looked: Callable[[str], Awaitable[Look]] = _looked,
        monotonic: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.path = path
        self._on_change = on_change
        self._on_failure = on_failure
        self._poll = poll
        self._burst = Debounce(quiet, longest)
        self._looked = looked
        self._monotonic = monotonic
        self._sleep = sleep
        self._is_asked = False
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def ask(self) -> None:
        """Have *on_change* called now, without waiting for a change. May be called in any thread, and by a signal."""
        self._is_asked = True
        if self._running is not None:
            loop, bell = self._running
            try:
                loop.call_soon_threadsafe(bell.set)
            except RuntimeError:
                pass  # The loop is closed; whoever runs it next finds that it was asked.

    async def run(self) -> None:
        """Watch until cancelled."""
        bell = asyncio.Event()
        self._running = asyncio.get_running_loop(), bell
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._notice(bell))
                await self._follow(bell)
        finally:
            self._running = None
            self._burst.end()

    async def _follow(self, bell: asyncio.Event) -> None:
        burst, seen = self._burst, None
        while True:
            bell.clear()
            found = await self._looked(self.path)
            if found != seen:
                # That of before the first look too: it may have changed since it was read.
                seen = found
                burst.note(self._monotonic())
            left = burst.left(self._monotonic())
            if left == 0.0 or (self._is_asked and left is None):
                self._is_asked = False
                burst.end()
                await self._retrying(READING)(self._change, found)
                continue
            try:
                async with asyncio.timeout(self._poll if left is None else min(left, self._poll)):
                    await bell.wait()
            except TimeoutError:
                pass

    async def _change(self, found: Look) -> None:
        await self._on_change(lambda: look(self.path) == found)

    async def _notice(self, bell: asyncio.Event) -> None:
        try:
            import watchfiles  # noqa: F401 - only whether it is there
        except ImportError:
            _log.info("watchfiles is not installed (extra watch), so %s is looked at every second.", self.path)
            return
        while True:
            # A new one each time, so that the waits begin anew once it has worked.
            await self._retrying(WATCHING)(self._listen, bell)

    async def _listen(self, bell: asyncio.Event) -> None:
        """Ring *bell* at each notice, until other directories must be watched. Raises where nothing could be heard."""
        from watchfiles import awatch

        watched, was_heard = await asyncio.to_thread(folders, self.path), False
        if not watched:
            raise FileNotFoundError
        notices = awatch(
            *watched,
            watch_filter=lambda _, changed: self._may_concern(changed),
            debounce=50,
            step=50,
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        )
        try:
            async with aclosing(notices):
                async for notice in notices:
                    was_heard = True
                    if notice:
                        bell.set()
                    if await asyncio.to_thread(folders, self.path) != watched:
                        return
        except (OSError, RuntimeError):
            if not was_heard:
                raise

    def _may_concern(self, changed: str) -> bool:
        """Whether the file *changed* may be ours, or lead to it. A log that is written beside it is not, nor leads."""
        if os.path.basename(changed) in (os.path.basename(self.path), os.path.basename(os.path.realpath(self.path))):
            return True
        return os.path.islink(changed) or not os.path.isfile(changed)

    def _retrying(self, where: str) -> AsyncRetrying:
        def told(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            # That there is no directory to watch, or no more watches to be had, is what the looks are for.
            is_usual = where == WATCHING and isinstance(error, OSError)
            if error is not None and self._on_failure is not None and not is_usual:
                self._on_failure(where, error)

        return AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.25, max=LONGEST_WAIT),
            retry=retry_if_exception_type(Exception),
            before_sleep=told,
            sleep=self._sleep,
        )
