"""Counts, over one whole look at the fleet, who turns bad, before anything is done about it.

Memory only: what an incident holds stands in each object's own status, with the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from merit.cluster.cache import Key
from merit.policy.watch.breaker import HOLD, Outcome, outcome

LONGEST = 2.0  # seconds that a verdict waits for the others of its look


@dataclass(slots=True)
class _Look:
    """Those who are judged together. `pending`: not yet."""

    what: str
    size: int
    began: float
    pending: set[Key]
    bad: set[Key] = field(default_factory=set)


class Breaker:
    """`incident`: what the fleet suffers from, empty if nothing. `trips`: how often it began."""

    def __init__(self) -> None:
        self._looks: dict[Key, _Look] = {}
        self._until = 0.0
        self._said = ""
        self.trips = 0

    def begin(self, what: str, keys: Iterable[Key], now: float) -> None:
        """A look is over: these are judged by it, at Unix time `now`. `what` they are, in words."""
        judged = set(keys)
        look = _Look(what, len(judged), now, judged)
        self._looks.update(dict.fromkeys(judged, look))

    def incident(self, now: float) -> str:
        """What the whole fleet suffers from at this moment, in one sentence."""
        return self._said if now < self._until else ""

    def vote(self, key: Key, *, bad: bool, now: float) -> Outcome:
        """One object was judged; a bad one is told whether to act, to wait, or to hold.

        One that an incident has held already turns bad no second time: its `bad` is False.
        """
        look = self._looks.get(key)
        if look is None:
            return "hold" if self.incident(now) else "act"
        look.pending.discard(key)
        if not bad:
            return "hold" if self.incident(now) else "act"
        look.bad.add(key)
        if self.incident(now):
            return "hold"
        told = outcome(len(look.bad), len(look.pending), look.size)
        if told == "hold":
            self._until, self.trips = now + HOLD, self.trips + 1
            self._said = f"{len(look.bad)} of {look.size} {look.what} turned bad in one look"
        if told == "wait" and now - look.began >= LONGEST:
            return "act"
        return told

    def forget(self, key: Key) -> None:
        """The object is gone."""
        look = self._looks.pop(key, None)
        if look is not None:
            look.pending.discard(key)
