"""The circuit breaker: of all objects that one poll judges, it counts how many turn bad.

Memory only: since when an incident holds an object is on record in the object's own status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from merit.kube.cache import Key
from merit.policy.outcomes.incident import HOLD, Outcome, outcome

STALLED = 2.0  # seconds without a further verdict after which the rest of a poll is not waited for
LONGEST = 10.0  # seconds that a verdict waits for those of other objects, at most


@dataclass(slots=True)
class _Poll:
    """Objects that are judged together. `pending`: not judged yet. `last_vote`: Unix seconds.

    `waiting`: bad ones that are woken as soon as it is clear what to do.
    """

    what: str
    size: int
    last_vote: float
    pending: set[Key]
    bad: set[Key] = field(default_factory=set)
    waiting: set[Key] = field(default_factory=set)


class CircuitBreaker:
    """`trips`: how many incidents have begun.

    `wake` is called with each object that need not wait any longer: to try again and again would
    take the time that judging the others needs.
    """

    def __init__(self, wake: Callable[[Key], None] = lambda _key: None) -> None:
        self._wake = wake
        self._polls: dict[Key, _Poll] = {}
        self._waits_since: dict[Key, float] = {}
        self._open_until = 0.0
        self._description = ""
        self.trips = 0

    def begin(self, what: str, keys: Iterable[Key], now: float) -> None:
        """A poll has finished: it judges these objects. `what` they are, for the description."""
        pending = set(keys)
        poll = _Poll(what, len(pending), now, pending)
        self._polls.update(dict.fromkeys(pending, poll))

    def incident(self, now: float) -> str:
        """The incident of the whole fleet, in one sentence; empty without one."""
        return self._description if now < self._open_until else ""

    def vote(self, key: Key, *, bad: bool, now: float) -> Outcome:
        """One object was judged. Returns whether a bad one may act, waits, or is held.

        An object that an incident holds already is not counted again: its `bad` is False.
        """
        poll = self._polls.get(key)
        if poll is None:
            return "hold" if self.incident(now) else "act"
        if key in poll.pending:
            poll.pending.discard(key)
            poll.last_vote = now
        if bad:
            poll.bad.add(key)
        late = bad and self._is_late(key, poll, now)
        judged = poll.size - len(poll.pending)
        result = outcome(len(poll.bad), len(poll.pending), poll.size, late=late)
        if result != "wait":
            self._release(poll)
        if bad and result == "wait" and not self.incident(now):
            poll.waiting.add(key)
            return "wait"
        if bad and result == "hold" and not self.incident(now):
            self._open_until, self.trips = now + HOLD, self.trips + 1
            of = judged if late else poll.size
            self._description = f"{len(poll.bad)} of {of} {poll.what} turned bad in one poll"
        self._waits_since.pop(key, None)
        return "hold" if self.incident(now) else "act"

    def _is_late(self, key: Key, poll: _Poll, now: float) -> bool:
        """Whether it has waited long enough, or nothing more is judged."""
        since = self._waits_since.setdefault(key, now)
        return now - poll.last_vote >= STALLED or now - since >= LONGEST

    def _release(self, poll: _Poll) -> None:
        released, poll.waiting = poll.waiting, set()
        for key in released:
            self._wake(key)

    def forget(self, key: Key) -> None:
        """The object is gone."""
        poll = self._polls.pop(key, None)
        self._waits_since.pop(key, None)
        if poll is not None:
            poll.pending.discard(key)
