"""What the messages of other processes do in this one. It waits for nothing and sends nothing."""

from __future__ import annotations

from collections.abc import Callable

from ..._asgi import Clock
from ...events import Event, MessageIgnored
from ..tags import PurgeLedger
from .broken import Broken
from .confirmations import Confirmations
from .frames import Frames
from .journal import Journal
from .messages import BreakerTold, Heard, Landed, LeaseEnded, Message, Purged, Replaced, keys_in
from .ports import Near


class Hearing:
    """Applies messages to *ledger*, *near* and *confirmations*; *applied* is called when purges of others were.

    What it cannot use is told by *tell*. The process's own messages are known by `Journal.node`.
    """

    def __init__(
        self,
        frames: Frames,
        journal: Journal,
        ledger: PurgeLedger,
        near: Near,
        confirmations: Confirmations,
        *,
        applied: Callable[[], None],
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> None:
        self.on_breaker: Callable[[str, str, float], None] | None = None
        """What to call with the fields of a `BreakerTold` of another process."""
        self._frames = frames
        self._journal = journal
        self._ledger = ledger
        self._near = near
        self._confirmations = confirmations
        self._applied = applied
        self._clock = clock
        self._tell = tell

    def take(self, frame: bytes) -> bool:
        """Do what the message in *frame* says; return whether the journal must be looked at."""
        opened = self._frames.open(frame)
        if isinstance(opened, Broken):
            return self._ignored(opened.reason)
        message, version = opened.message, opened.version
        if version and (opened.incarnation != self._journal.incarnation or version <= self._ledger.seen):
            # Of another database behind the same channel, or known; what is neither shows at the next look.
            return False
        if isinstance(message, Broken):
            self._ignored(message.reason)
        elif isinstance(message, Purged) and version and opened.previous <= self._ledger.seen:
            self._purge(message, version)
            return False
        elif message is not None and not version and message.origin != self._journal.node:
            self._heed(message)
        return version > 0

    def _purge(self, message: Purged, version: int) -> None:
        if message.origin != self._journal.node:
            now = self._clock()
            soft = [(tag, version, now - age) for tag, age in message.soft]
            self._ledger.apply([(tag, version) for tag in message.hard], soft)
            self._near.drop_near(keys_in(message.keys))
            self._applied()
        self._ledger.reached(version)

    def _heed(self, message: Message) -> None:
        match message:
            case Heard(origin=origin, seen=seen):
                self._confirmations.note(origin, seen)
                self._journal.met(origin)
            case Replaced(key=raw):
                for key in keys_in((raw,)):
                    self._near.replaced(key)
            case Landed(key=raw) | LeaseEnded(key=raw):
                for key in keys_in((raw,)):
                    self._near.woken(key)
            case BreakerTold(upstream=upstream, state=state, open_for=open_for) if self.on_breaker is not None:
                self.on_breaker(upstream, state, open_for)
            case Purged():
                self._ignored("purge without a version")

    def _ignored(self, reason: str) -> bool:
        self._tell(MessageIgnored(reason=reason))
        return False
