"""The circuit breaker: of all that is exposed, by metrics source, it counts how much turns bad.

Memory only: since when an incident holds an object is on record in the object's own status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from merit.kube.cache import Key
from merit.policy.outcomes.incident import HOLD, Outcome, outcome

TOGETHER = 30.0  # seconds: what turns bad within them counts as turned bad at the same moment
LONGEST = 10.0  # seconds that a verdict waits for those of other objects, at most
RELIEVED = 60.0  # seconds, where no traffic is left at what is bad: nothing is lost by waiting


@dataclass(slots=True)
class _Population:
    """Objects of one metrics source that are judged together: `what` of it.

    `pending`: not judged since the newest poll. `bad`: when each turned bad, Unix seconds.
    `waiting`: bad ones that are woken as soon as it is clear what to do.
    """

    view: str
    what: str
    keys: set[Key] = field(default_factory=set)
    pending: set[Key] = field(default_factory=set)
    bad: dict[Key, float] = field(default_factory=dict)
    waiting: set[Key] = field(default_factory=set)

    def begin(self, keys: set[Key], now: float) -> None:
        """A poll has finished: these are all that there are, and are judged by it."""
        self.bad = {key: at for key, at in self.bad.items() if now - at < TOGETHER}
        self.keys, self.pending = keys | set(self.bad), keys - set(self.bad)

    def outcome(self) -> Outcome:
        return outcome(
            _by_namespace(self.bad), _by_namespace(self.pending), _by_namespace(self.keys)
        )


class CircuitBreaker:
    """`trips`: how many incidents have begun.

    `wake` is called with each object that need not wait any longer: to try again and again would
    take the time that judging the others needs.
    """

    def __init__(self, wake: Callable[[Key], None] = lambda _key: None) -> None:
        self._wake = wake
        self._populations: dict[tuple[str, str], _Population] = {}
        self._population: dict[Key, _Population] = {}
        self._waits_since: dict[Key, float] = {}
        self._incidents: dict[str, tuple[float, str]] = {}  # by view: until when, what
        self.trips = 0

    def begin(self, view: str, what: str, keys: Iterable[Key], now: float) -> None:
        """A poll of that view of a metrics source judges these: all that it has of `what`."""
        polled = set(keys)
        population = self._populations.setdefault((view, what), _Population(view, what))
        population.begin(polled, now)
        self._population.update(dict.fromkeys(polled, population))

    def incident(self, key: Key, now: float) -> str:
        """The incident of this object's metrics source, in one sentence; empty without one."""
        population = self._population.get(key)
        until, what = self._incidents.get(population.view if population else "", (0.0, ""))
        return what if now < until else ""

    def incidents(self, now: float) -> int:
        """The number of metrics sources with an incident."""
        return sum(now < until for until, _ in self._incidents.values())

    def vote(self, key: Key, *, bad: bool, relieved: bool = False, now: float) -> Outcome:
        """One object was judged. Returns whether it may be blamed, waits, or is held.

        `relieved`: no traffic is left at what is bad. What an incident holds already is not counted
        again: its `bad` is False.
        """
        population = self._population.get(key)
        if population is None:  # after a restart, what is relieved waits for the next poll
            return "wait" if bad and relieved and not self._is_late(key, now, RELIEVED) else "act"
        population.pending.discard(key)
        if bad:
            population.bad[key] = now
            population.keys.add(key)
        result = population.outcome() if population.bad else "act"
        if result != "wait":
            for released in population.waiting:
                self._wake(released)
            population.waiting = set()
        if not bad:
            result = "act"
        elif self.incident(key, now):
            result = "hold"
        elif result == "hold":
            self._incidents[population.view] = now + HOLD, _described(population)
            self.trips += 1
        elif result == "wait" and self._is_late(key, now, RELIEVED if relieved else LONGEST):
            result = "act"
        elif result == "wait":
            population.waiting.add(key)
            return "wait"
        self._waits_since.pop(key, None)
        return result

    def _is_late(self, key: Key, now: float, longest: float) -> bool:
        return now - self._waits_since.setdefault(key, now) >= longest

    def forget(self, key: Key) -> None:
        """The object is gone."""
        population = self._population.pop(key, None)
        self._waits_since.pop(key, None)
        if population is not None:
            population.pending.discard(key)


def _by_namespace(keys: Iterable[Key]) -> Counter[str]:
    return Counter(key.namespace for key in keys)


def _described(population: _Population) -> str:
    count, size = len(population.bad), len(population.keys)
    return f"{count} of {size} {population.what} turned bad at the same moment"
