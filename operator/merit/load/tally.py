"""Everything that was sent, warm-up and pauses with it, and what the pods say of it themselves.

Before and after, not stage by stage: a server goes on with requests that nobody waits for any more,
and counts them in the next stage.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from merit.evidence.load_counts import Counts
from merit.evidence.load_order import Order, Scrape
from merit.load.exposition import Reading, Silent, read
from merit.load.fold import Results, failed, refused

LATE = 10.0  # seconds after the last answer until a server has counted it
PAUSE = 0.5


class Tally:
    """Of one load test; the pods are asked when it is made."""

    def __init__(self, order: Order) -> None:
        self._order, self._began = order, time.monotonic()
        self._sent = self._good = 0
        self._before: list[Reading] = []
        self._why = order.uncounted
        if order.scrape is not None:
            try:
                self._before = [read(target, order.scrape) for target in order.targets]
            except Silent as silent:
                self._why = str(silent)

    def add(self, results: Results) -> None:
        """Whatever was sent."""
        self._sent += len(results.code)
        self._good += sum(not failed(code) and not refused(code) for code in results.code)

    def counts(self) -> Counts:
        """The whole, once the pods have counted all that they answered, or do not in time."""
        seconds, scrape = time.monotonic() - self._began, self._order.scrape
        seen, why = None, self._why
        if scrape is not None and self._before:
            seen, why = self._asked(scrape)
        return Counts(self._sent, self._good, seconds, seen, why)

    def _asked(self, scrape: Scrape) -> tuple[int | None, str]:
        end, last = time.monotonic() + LATE, self._before
        while True:
            try:
                now = [read(target, scrape) for target in self._order.targets]
                _goes_on(last, now)
                last, seen, why = now, _rise(self._before, now), ""
            except _Apart as apart:
                return None, str(apart)
            except Silent as silent:
                seen, why = None, str(silent)
            if (seen is not None and seen >= self._good) or time.monotonic() >= end:
                return seen, why
            time.sleep(PAUSE)


class _Apart(Silent):
    """Another process answered: what it counted is not to be added to what the first one did."""


def _goes_on(before: Sequence[Reading], after: Sequence[Reading]) -> None:
    """Raises _Apart unless each pod's process is the one that it was."""
    for old, new in zip(before, after, strict=True):
        lower = any(
            new_values.get(series, 0.0) < value
            for old_values, new_values in zip(old.values, new.values, strict=True)
            for series, value in old_values.items()
        )
        if lower or old.began != new.began:
            raise _Apart("a pod restarted, or its processes count each for itself")


def _rise(before: Sequence[Reading], after: Sequence[Reading]) -> int:
    """By how much the first counter that any pod has rose on all of them. Raises Silent."""
    for nth in range(len(after[0].values)):
        if any(reading.values[nth] for reading in after):
            return round(
                sum(sum(reading.values[nth].values()) for reading in after)
                - sum(sum(reading.values[nth].values()) for reading in before)
            )
    raise Silent("the pods have none of the series that the preset counts requests by")
