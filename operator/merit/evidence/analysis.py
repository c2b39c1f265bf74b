"""The evidence about one candidate: scrapes go in, "is it worse?" and "is it proven?" come out.

All state goes through JSON without a trace: an analysis that is stored and restored after every
scrape says the same, to the last digit, as one that never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from merit.evidence import judging
from merit.evidence.answers import Kind, Proven, Worse
from merit.evidence.counts import Sample
from merit.evidence.dead import DeadWindow
from merit.evidence.flow import Flow
from merit.evidence.instants import instant, told
from merit.evidence.rounding import number, rounded, text
from merit.evidence.signal import Bar, SignalScores
from merit.evidence.terms import Terms

__all__ = ["Analysis", "Bar", "Proven", "Terms", "Worse"]

SCRAPES = 10  # that the forecast's pace is averaged over


class Analysis:
    """Evidence about one candidate beside one stable arm. Make one with `fresh` or `restore`."""

    def __init__(self, bars: Sequence[Bar], terms: Terms, state: Mapping[str, Any] | None) -> None:
        self._terms = terms
        if state and (other := terms.measured_otherwise(state)):
            raise ValueError(f"stored evidence does not fit: {other}")
        self._scrape = number(state["scrape"]) if state else rounded(terms.constants.scrape)
        kept = {s["name"]: s for s in state["signals"]} if state else {}
        self._signals = {
            b.name: SignalScores(b, terms, len(bars), kept[b.name] if state else None) for b in bars
        }
        self._dead = DeadWindow(state["dead"] if state else None)
        self._flow = Flow(terms.rps, state["flow"] if state else None)
        self.consumed_until = instant(state["consumedUntil"]) if state else None

    @classmethod
    def fresh(cls, bars: Sequence[Bar], terms: Terms) -> Analysis:
        """No evidence yet."""
        return cls(bars, terms, None)

    @classmethod
    def restore(cls, state: Mapping[str, Any], bars: Sequence[Bar], terms: Terms) -> Analysis:
        """What `to_status` gave, under the same terms. ValueError if it does not fit them.

        Dispersion and patience are those that it began with, whatever has been measured since. It
        does not fit if it was measured by another source, or at another interval.
        """
        try:
            return cls(bars, terms, state)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"stored evidence does not fit: {error!r}") from error

    def observe(self, sample: Sample, *, weight_changed: bool, warming: bool) -> None:
        """Turn one look into evidence.

        A first look (`since` None) only sets the baseline. A look that was consumed already, or
        that reaches back before `consumed_until`, changes nothing: no request counts twice.
        `weight_changed`: since the look before. `warming`: latency does not count yet.
        """
        if not sample.news(self.consumed_until):
            return
        self.consumed_until = rounded(sample.at)
        if sample.since is None:
            return
        seconds = max(0.0, rounded(self.consumed_until - sample.since))
        self._flow.add(sample, seconds, weight_changed=weight_changed)
        rps, terms = self.rps, self._terms
        margins = tuple(terms.margin(i, rps) for i in range(len(terms.ladder))) if rps else ()
        for name, signal in self._signals.items():
            pair = sample.signals.get(name)
            if pair is None or (warming and signal.spec.latency):
                continue
            signal.update(
                pair,
                seconds=seconds,
                weight_changed=weight_changed,
                margins=margins,
                memory=SCRAPES * terms.constants.scrape,
            )
        errors = sample.signals.get(judging.ERRORS)
        if errors is not None and judging.ERRORS in self._signals:
            self._dead.update(errors.candidate, errors.stable, seconds=seconds)

    @property
    def rps(self) -> float:
        """All traffic in requests per second that the margins rest on; 0 while it is not known."""
        return self._flow.rps

    @property
    def quiet(self) -> float:
        """Seconds since the last request of the candidate."""
        return self._flow.quiet

    @property
    def looks(self) -> int:
        """Scrapes with requests of the candidate since its weight changed."""
        return self._flow.looks

    def dispersion(self) -> dict[str, tuple[float, float]]:
        """What applies to each signal from beginning to end: phi, and patience in seconds."""
        return {n: (s.scoring.phi, s.scoring.patience) for n, s in self._signals.items()}

    def worse(self) -> Worse:
        """Is it bad?"""
        return judging.worse(self._signals.values(), self._dead, self._terms)

    def shared(self) -> str:
        """What both arms fail at, as words; empty if nothing: then neither model is to blame."""
        return judging.shared(self._signals.values(), self._terms)

    def proven(self, step: int) -> Proven:
        """May ladder entry `step` (an index) be entered? Every signal must be proven for it."""
        return judging.proven(self._signals.values(), self._terms, step=step, rps=self.rps)

    def figures(self, step: int | None = None) -> dict[str, tuple[str, int, Kind]]:
        """For people: the candidate's share of bad requests, on how many, and what that means.

        `step`: the ladder index to be entered next; without it, the last one.
        """
        entered = len(self._terms.ladder) - 1 if step is None else step
        return judging.figures(
            self._signals.values(), self.worse(), self._terms, step=entered, rps=self.rps
        )

    def to_status(self) -> dict[str, Any]:
        """All that a verdict needs, as decimal strings; at most 3 KiB for four signals."""
        verdict = self.worse()
        return {
            "source": self._terms.source,
            "scrape": text(self._scrape),
            "consumedUntil": told(self.consumed_until),
            "evidence": text(rounded(verdict.log_m)),
            "confidence": verdict.confidence,
            "flow": self._flow.to_status(),
            "dead": self._dead.to_status(),
            "signals": [signal.to_status() for signal in self._signals.values()],
        }
