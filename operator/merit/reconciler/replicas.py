"""How many pods each revision had lately: as a mean, or an autoscaler would make cost flutter."""

from __future__ import annotations

from collections.abc import Mapping

WINDOW = 1800.0  # seconds


class ReplicaLog:
    """Counts by revision and moment. Losing it shortens the mean, and harms nothing."""

    def __init__(self) -> None:
        self._counts: dict[str, list[tuple[float, int]]] = {}

    def note(self, counts: Mapping[str, int], now: float) -> None:
        """So many pods are there, or wanted, from now on."""
        self._counts = {short: self._counts.get(short, []) for short in counts}
        for short, count in counts.items():
            log = self._counts[short]
            if not log or log[-1][1] != count:
                log.append((now, count))
            while len(log) > 1 and log[1][0] <= now - WINDOW:
                log.pop(0)

    def means(self, now: float) -> dict[str, float]:
        """Over the last half hour, or since the first count."""
        return {short: _mean(log, now) for short, log in self._counts.items() if log}


def _mean(log: list[tuple[float, int]], now: float) -> float:
    total = known = 0.0
    ends = [at for at, _ in log[1:]] + [now]
    for (at, count), end in zip(log, ends, strict=True):
        lasted = max(0.0, end - max(at, now - WINDOW))
        total += count * lasted
        known += lasted
    return total / known if known > 0 else float(log[-1][1])
