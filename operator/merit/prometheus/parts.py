"""Raw series of one metric, read whole, and in parts only where an answer is too large.

A revision whose own series do not fit an answer is left out: its owner is told, and nobody else
notices. Parts are told apart by the last hex digits of a revision's name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from merit.prometheus.answer import Answer, Series, Source

DIGITS = "0123456789abcdef"
CONCURRENCY = 4  # parts of one answer that are read at the same time
LONGEST = 4  # digits: hardly ever do two revisions share so many


@dataclass(frozen=True, slots=True)
class Part:
    """Series of the revisions that end with `suffix`, and with none of `without`."""

    suffix: str = ""
    without: tuple[str, ...] = ()


class Parts:
    """How one metric is read."""

    def __init__(self) -> None:
        self._fitting: tuple[str, ...] = ("",)
        self._tried_again: tuple[str, ...] = ()
        self.too_large: frozenset[str] = frozenset()
        """The ends of revisions whose series were not read."""

    async def read(self, source: Source, query: Callable[[Part], str], at: float) -> Answer:
        """All series but those that are too many, or the answer that failed otherwise."""
        known, series = tuple(sorted(self.too_large)), list[Series]()
        pending = [Part(suffix, known) for suffix in self._fitting]
        pending += [Part(suffix) for suffix in self._tried_again]
        self._tried_again = ()
        large, fitting = set(known), list[str]()
        while pending:
            some, pending = pending[:CONCURRENCY], pending[CONCURRENCY:]
            answers = await asyncio.gather(*(source.instant(query(p), at) for p in some))
            for part, answer in zip(some, answers, strict=True):
                if answer.too_large and len(part.suffix) < LONGEST:
                    pending += [Part(digit + part.suffix, known) for digit in DIGITS]
                elif answer.too_large:
                    large.add(part.suffix)
                    self.too_large |= {part.suffix}
                elif answer.reason:
                    return answer
                else:
                    large.discard(part.suffix)
                    fitting.append(part.suffix)
                    series += answer.series
        # What was split because of one revision is read whole again, without that one.
        grown = large > set(known)
        self._fitting = ("",) if grown else tuple(s for s in fitting if s not in known)
        self.too_large = frozenset(large)
        return Answer(tuple(series))

    def forget(self) -> None:
        """Read it whole again, and once more what was too large."""
        self._fitting, self._tried_again = ("",), tuple(sorted(self.too_large))
