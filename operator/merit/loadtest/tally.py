"""All requests that were sent, warm-up and pauses included, and how many the pods counted.

Before and after, not stage by stage: a server continues with requests that have timed out, and
counts them in the next stage.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from merit.loadtest.counts import Counts
from merit.loadtest.exposition import MetricsUnreadable, Reading, read
from merit.loadtest.fold import Results
from merit.loadtest.order import Order, Scrape

COUNT_DELAY = 10.0  # seconds that a server may take to count its last answer
PAUSE = 0.5


class Tally:
    """The counts of one load test; the pods are read first when it is made."""

    def __init__(self, order: Order) -> None:
        self._order, self._began = order, time.monotonic()
        self._sent = self._good = 0
        self._before: list[Reading] = []
        self._why = order.uncounted
        if order.scrape is not None:
            try:
                self._before = [read(target, order.scrape) for target in order.targets]
            except MetricsUnreadable as error:
                self._why = str(error)

    def add(self, results: Results) -> None:
        """Add the results of one attack."""
        self._sent += len(results.code)
        self._good += sum(200 <= code < 300 for code in results.code)

    def counts(self) -> Counts:
        """The totals, once the pods have counted all their answers, or COUNT_DELAY is over."""
        seconds, scrape = time.monotonic() - self._began, self._order.scrape
        seen, why = None, self._why
        if scrape is not None and self._before:
            seen, why = self._seen(scrape)
        return Counts(self._sent, self._good, seconds, seen, why)

    def _seen(self, scrape: Scrape) -> tuple[int | None, str]:
        end, last = time.monotonic() + COUNT_DELAY, self._before
        while True:
            try:
                now = [read(target, scrape) for target in self._order.targets]
                _check_same_process(last, now)
                last, seen, why = now, _rise(self._before, now), ""
            except _ProcessChanged as changed:
                return None, str(changed)
            except MetricsUnreadable as error:
                seen, why = None, str(error)
            if (seen is not None and seen >= self._good) or time.monotonic() >= end:
                return seen, why
            time.sleep(PAUSE)


class _ProcessChanged(MetricsUnreadable):
    """Another process answered: its counts cannot be added to those of the first."""


def _check_same_process(before: Sequence[Reading], after: Sequence[Reading]) -> None:
    """Raises _ProcessChanged unless each pod's process is the one that it was."""
    for old, new in zip(before, after, strict=True):
        lower = any(
            new_values.get(series, 0.0) < value
            for old_values, new_values in zip(old.values, new.values, strict=True)
            for series, value in old_values.items()
        )
        if lower or old.began != new.began:
            raise _ProcessChanged("a pod restarted, or its processes count each for itself")


def _rise(before: Sequence[Reading], after: Sequence[Reading]) -> int:
    """By how much the first counter that any pod has rose on all. Raises MetricsUnreadable."""
    for nth in range(len(after[0].values)):
        if any(reading.values[nth] for reading in after):
            return round(
                sum(sum(reading.values[nth].values()) for reading in after)
                - sum(sum(reading.values[nth].values()) for reading in before)
            )
    raise MetricsUnreadable("the pods have none of the series that the preset counts requests by")
