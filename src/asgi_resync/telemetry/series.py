"""What each series of a system of metrics is fed by, found by a look into a dictionary. It bounds their number."""

from __future__ import annotations

from collections.abc import Callable

from ..events import Event
from .metrics import COUNTED, MOST_SERIES, OTHER, Metric, samples_of

Feed = Callable[[float], object]
"""Adds to, sets or observes one series."""


class MetricsListener:
    """A listener that feeds metrics. *open_series* returns the feed of a metric's series with the label values given.

    A metric has 2000 series at most; what comes beyond is fed to one with the label values "other".
    """

    wants = COUNTED

    def __init__(self, open_series: Callable[[Metric, tuple[str, ...]], Feed]) -> None:
        self._open = open_series
        self._feeds: dict[tuple[Metric, tuple[str, ...]], Feed] = {}
        self._number: dict[Metric, int] = {}

    def __call__(self, event: Event) -> None:
        """Feed what *event* counts in."""
        for metric, labels, value in samples_of(event):
            feed = self._feeds.get((metric, labels))
            if feed is None:
                feed = self._feed_of(metric, labels)
            feed(value)

    def _feed_of(self, metric: Metric, labels: tuple[str, ...]) -> Feed:
        number = self._number.get(metric, 0)
        if number >= MOST_SERIES:
            # Not remembered under its own labels, or what is remembered would grow in place of the series.
            labels = (OTHER,) * len(labels)
            if (known := self._feeds.get((metric, labels))) is not None:
                return known
        self._number[metric] = number + 1
        feed = self._feeds[metric, labels] = self._open(metric, labels)
        return feed
