"""Counts, over one whole look at the fleet, who turns bad, before anything is done about it.

Memory only: what an incident holds stands in each object's own status, with the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from merit.cluster.cache import Key
from merit.policy.watch.breaker import HOLD, Outcome, outcome

STALLED = 2.0  # seconds without a further verdict after which a look is not waited for
LONGEST = 10.0  # seconds that a verdict waits for those of others, however many are on their way


@dataclass(slots=True)
class _Look:
    """Those who are judged together. `pending`: not yet. `heard`: when the last one was.

    `waiting`: bad ones that are woken as soon as the others' verdicts tell what to do.
    """

    what: str
    size: int
    heard: float
    pending: set[Key]
    bad: set[Key] = field(default_factory=set)
    waiting: set[Key] = field(default_factory=set)


class Breaker:
    """`incident`: what the fleet suffers from, empty if nothing. `trips`: how often it began.

    `wake` is told of each that waits no longer: to ask again and again would take the time that
    judging the others needs.
    """

    def __init__(self) -> None:
        self.wake: Callable[[Key], None] = lambda _key: None
        self._looks: dict[Key, _Look] = {}
        self._since: dict[Key, float] = {}  # who waits, since when
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
        if key in look.pending:
            look.pending.discard(key)
            look.heard = now
        if bad:
            look.bad.add(key)
        late = bad and self._is_late(key, look, now)
        judged = look.size - len(look.pending)
        told = outcome(len(look.bad), len(look.pending), look.size, late=late)
        if told != "wait":
            self._release(look)
        if bad and told == "wait" and not self.incident(now):
            look.waiting.add(key)
            return "wait"
        if bad and told == "hold" and not self.incident(now):
            self._until, self.trips = now + HOLD, self.trips + 1
            of = judged if late else look.size
            self._said = f"{len(look.bad)} of {of} {look.what} turned bad in one look"
        self._since.pop(key, None)
        return "hold" if self.incident(now) else "act"

    def _is_late(self, key: Key, look: _Look, now: float) -> bool:
        """Whether this one has waited long enough, or in vain."""
        since = self._since.setdefault(key, now)
        return now - look.heard >= STALLED or now - since >= LONGEST

    def _release(self, look: _Look) -> None:
        woken, look.waiting = look.waiting, set()
        for key in woken:
            self.wake(key)

    def forget(self, key: Key) -> None:
        """The object is gone."""
        look = self._looks.pop(key, None)
        self._since.pop(key, None)
        if look is not None:
            look.pending.discard(key)
