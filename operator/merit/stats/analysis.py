"""The evidence about one candidate: samples go in, "is it worse?" and "is it proven?" come out.

An analysis that is stored and restored after every scrape gives the same answers, bit for bit, as
one that never stopped. What is promised: docs/concepts/statistics.md, "The promise".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from merit.stats import judging
from merit.stats.counts import Sample
from merit.stats.decimals import format_instant, number, parse_instant, rounded, text
from merit.stats.early_failure import EarlyFailure
from merit.stats.flow import Flow
from merit.stats.judging import Proven, Worse
from merit.stats.signal import Bar, SignalEvidence
from merit.stats.terms import Terms

PACE_SCRAPES = 10  # that the pace of the forecast is averaged over


class Analysis:
    """Evidence about one candidate beside one stable arm; without a `state` none yet.

    `flow`: the traffic of both arms. `consumed_until`: Unix seconds, None before the first sample.
    """

    def __init__(
        self, bars: Sequence[Bar], terms: Terms, state: Mapping[str, Any] | None = None
    ) -> None:
        self._terms = terms
        if state and (other := terms.incompatible(state)):
            raise ValueError(f"stored evidence does not fit: {other}")
        self._scrape = number(state["scrape"]) if state else rounded(terms.constants.scrape)
        kept = {s["name"]: s for s in state["signals"]} if state else {}
        if state and state["proofOf"] not in ("", terms.proof_of):
            kept = {name: {**signal, "proven": ""} for name, signal in kept.items()}
        self._signals = {
            b.name: SignalEvidence(b, terms, len(bars), kept[b.name] if state else None)
            for b in bars
        }
        self._early_failure = EarlyFailure(state["dead"] if state else None)
        self.flow = Flow(terms.rps, state["flow"] if state else None)
        self.consumed_until = parse_instant(state["consumedUntil"]) if state else None

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
        """Turn one sample into evidence.

        A first sample (`since` None) only sets the baseline. A sample that was consumed already, or
        that reaches back before `consumed_until`, changes nothing: no request counts twice.
        `weight_changed`: since the sample before. `warming`: latency does not count yet.
        """
        if not sample.is_new(self.consumed_until):
            return
        self.consumed_until = rounded(sample.at)
        if sample.since is None:
            return
        seconds = max(0.0, rounded(self.consumed_until - sample.since))
        self.flow.add(sample, seconds, weight_changed=weight_changed)
        rps, terms = self.flow.rps, self._terms
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
                memory=PACE_SCRAPES * terms.constants.scrape,
            )
        errors = sample.signals.get(judging.ERRORS)
        if errors is not None and judging.ERRORS in self._signals:
            self._early_failure.update(errors.candidate, errors.stable, seconds=seconds)

    def dispersion(self) -> dict[str, tuple[float, float]]:
        """What applies to each signal from beginning to end: phi, and patience in seconds."""
        return {n: (s.betting.phi, s.betting.patience) for n, s in self._signals.items()}

    def worse(self) -> Worse:
        """Is it bad?"""
        return judging.worse(self._signals.values(), self._early_failure, self._terms)

    def bad_signals(self) -> tuple[Worse, ...]:
        """Every signal that is bad, the one with the most evidence first; empty unless `worse`."""
        return judging.bad_signals(self._signals.values(), self._early_failure, self._terms)

    def shared(self) -> str:
        """A sentence about what both arms fail at: neither model is the cause; empty if nothing."""
        return judging.shared(self._signals.values(), self._terms)

    def proven(self, step: int) -> Proven:
        """May ladder entry `step` (an index) be entered? Every signal must be proven for it."""
        return judging.proven(self._signals.values(), self._terms, step=step, rps=self.flow.rps)

    def to_status(self) -> dict[str, Any]:
        """All that a verdict needs, as decimal strings; at most 3 KiB for four signals."""
        verdict = self.worse()
        return {
            "source": self._terms.source,
            "scrape": text(self._scrape),
            "proofOf": self._terms.proof_of,
            "consumedUntil": format_instant(self.consumed_until),
            "evidence": text(rounded(verdict.log_e)),
            "confidence": verdict.confidence,
            "flow": self.flow.to_status(),
            "dead": self._early_failure.to_status(),
            "signals": [signal.to_status() for signal in self._signals.values()],
        }
