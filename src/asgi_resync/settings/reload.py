"""Reads the settings again and puts them in force while the app serves. When, is for others to say."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING

from ..cache.sweep import settle_all
from ..errors import RuleError, SettingsError
from ..events import ConfigApplied, ConfigRefused, Event, SettingChange
from ..resources.hangup import Hangup
from ..resources.resource import Resource
from .environment import Resolution
from .live import Plan, plan
from .load import load
from .model import Settings
from .parts import Parts

if TYPE_CHECKING:
    from ..resources.watch import OnChange

_log = logging.getLogger("asgi_resync")


def config_resource(
    settings: Settings,
    reload: OnChange,
    on_failure: Callable[[str, BaseException], None],
) -> Resource | None:
    """Return what watches the config file of *settings*, as the resource `config`; None where there is none.

    With RESYNC_RELOAD_ON_SIGHUP it takes SIGHUP too, and without a file that alone, to say so. It is never critical:
    without it, the settings stay as they are.
    """
    if settings.config_file is None:
        if not settings.reload_on_sighup:
            return None
        # Without this, the signal would end the process of who asked to have it mean something else.
        hollow = Hangup(lambda: _log.warning("SIGHUP: there is no RESYNC_CONFIG_FILE to read again."))
        return Resource("config", start=hollow.install, stop=hollow.remove, critical=False)
    from ..resources.watch import Watcher  # which loads tenacity

    watcher = Watcher(settings.config_file, reload, on_failure=on_failure)
    hangup = Hangup(watcher.ask) if settings.reload_on_sighup else None
    return Resource(
        "config",
        start=hangup.install if hangup is not None else None,
        run=watcher.run,
        stop=hangup.remove if hangup is not None else None,
        critical=False,
    )


class Reloader:
    """Keeps *parts* by what *environ* and its config file say. *environ* is None where only code gave *settings*.

    `settings` are those in force. *tell* is called with each event. It may be used on several loops.
    """

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        environ: Mapping[str, str] | None,
        tell: Callable[[Event], None] | None,
        load: Callable[[Mapping[str, str]], Resolution] = load,
    ) -> None:
        self.settings = settings
        self.environ = environ
        self._parts = parts
        parts.level.be(settings.log_level)
        self._tell = tell
        self._load = load
        self._lock = threading.Lock()
        self._turns = count(1)
        self._last = 0
        self._is_watched = False
        """Whether the watcher has had a first look."""
        self._at_restart: tuple[SettingChange, ...] = ()
        self._outcome: ConfigApplied | ConfigRefused = ConfigApplied()

    async def reload(self, is_whole: Callable[[], bool] | None = None) -> ConfigApplied | ConfigRefused:
        """Read everything again, and put it in force whole, or not at all. Raises nothing that is wrong with it.

        What was read counts for nothing where *is_whole*, called after that in a thread, says False. Records that a
        smaller memory has no room for leave in steps before it returns. Of several at once, what was read last counts.
        """
        turn = next(self._turns)
        read = await asyncio.to_thread(self._read, is_whole)
        with self._lock:
            if turn < self._last or read is None:
                return self._outcome
            self._last = turn
            outcome = self._outcome = self._take(read)
        await settle_all(self._parts.memory)
        return outcome

    def _read(self, is_whole: Callable[[], bool] | None) -> Settings | ConfigRefused | None:
        is_first = is_whole is not None and not self._is_watched
        self._is_watched = self._is_watched or is_first
        if self.environ is None and is_first:
            # A watcher begins with a look, which nobody has asked for.
            return None
        if self.environ is None:
            remedy = "these settings were given in code; make the Resync by Resync.from_env() to have them read again"
            return ConfigRefused(problems=(remedy,))
        found: Settings | ConfigRefused
        try:
            found = self._load(self.environ).settings
        except SettingsError as error:
            found = ConfigRefused(problems=tuple(map(str, error.problems)))
        return found if is_whole is None or is_whole() else None

    def _take(self, read: Settings | ConfigRefused) -> ConfigApplied | ConfigRefused:
        if isinstance(read, ConfigRefused):
            return self._refused(read)
        parts = self._parts
        wanted = plan(self.settings, read, parts.upstreams)
        try:
            adapt = parts.adapting(wanted.settings)
        except RuleError as error:
            return self._refused(ConfigRefused(problems=(str(error),)))
        adapt()
        self.settings = wanted.settings
        return self._applied(wanted)

    def _applied(self, wanted: Plan) -> ConfigApplied:
        applied = ConfigApplied(changes=wanted.live, at_restart=wanted.at_restart)
        is_news = bool(wanted.live) or wanted.at_restart != self._at_restart
        self._at_restart = wanted.at_restart
        if is_news:
            self._emit(applied)
        return applied

    def _refused(self, refused: ConfigRefused) -> ConfigRefused:
        self._emit(refused)
        return refused

    def _emit(self, event: Event) -> None:
        if self._tell is not None:
            self._tell(event)
