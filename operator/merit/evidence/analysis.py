"""The evidence of one rollout: scrapes go in, "is it worse?" and "is it proven?" come out.

All state goes through JSON without a trace: an analysis that is stored and restored after every
scrape says the same, to the last digit, as one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from merit.evidence import sentences
from merit.evidence.answers import Kind, Proven, Worse
from merit.evidence.constants import Constants
from merit.evidence.counts import Sample
from merit.evidence.dead import DeadWindow
from merit.evidence.instants import instant, told
from merit.evidence.ladder import margin
from merit.evidence.rounding import number, rounded, text
from merit.evidence.score import BETS, log_mean
from merit.evidence.signal import Bar, SignalScores, Terms

__all__ = ["Analysis", "Bar", "Proven", "Worse"]

ERRORS = "errors"
LONGEST = 24 * 3600.0  # a forecast beyond a day is "not at this traffic"
SCRAPES = 10  # that the forecast's pace is averaged over
TRAFFIC_SECONDS, TRAFFIC_REQUESTS = 10.0, 20.0  # after which the traffic counts as known
TRAFFIC_PATIENCE = 60.0


class Analysis:
    """Evidence about one candidate beside one stable arm. Make one with `fresh` or `restore`."""

    def __init__(
        self,
        bars: Sequence[Bar],
        *,
        ladder: tuple[int, ...],
        confidence: float,
        blast_radius: float,
        constants: Constants,
        phi: float | None,
        rps: float | None,
        state: Mapping[str, Any] | None,
    ) -> None:
        """`phi` None: nobody measured the dispersion. `rps` None: learnt from first requests."""
        self._ladder, self._confidence, self._blast = ladder, confidence, blast_radius
        self._constants = constants
        self.measured = phi is not None
        self.phi = max(1.0, constants.phi_unmeasured if phi is None else phi)
        self.patience = constants.patience if self.measured else constants.patience_unmeasured
        scores = max(1, 2 * len(bars))
        need = -math.log(1 - confidence) + math.log(2 * len(BETS) * scores)
        terms = Terms(
            phi=self.phi,
            burst=need * max(1 / 3, constants.scrape / self.patience),
            refill=need * 2 / 3 / self.patience,
            steps=len(ladder),
            constants=constants,
        )
        kept = {s["name"]: s for s in state["signals"]} if state else {}
        self._signals = {
            b.name: SignalScores(b, terms, kept[b.name] if state else None) for b in bars
        }
        self._dead = DeadWindow(state["dead"] if state else None)
        self._given = rps
        self._rps = number(state["rps"]) if state else 0.0
        self._n = number(state["traffic"]["n"]) if state else 0.0
        self._seconds = number(state["traffic"]["seconds"]) if state else 0.0
        self.quiet = number(state["quiet"]) if state else 0.0
        self.looks = int(number(state["looks"])) if state else 0
        self.consumed_until = instant(state["consumedUntil"]) if state else None

    @classmethod
    def fresh(
        cls,
        bars: Sequence[Bar],
        *,
        ladder: tuple[int, ...],
        confidence: float,
        blast_radius: float,
        constants: Constants,
        phi: float | None,
        rps: float | None,
    ) -> Analysis:
        """No evidence yet. `rps`: all traffic, requests per second, if it is known."""
        return cls(
            bars, ladder=ladder, confidence=confidence, blast_radius=blast_radius,
            constants=constants, phi=phi, rps=rps, state=None,
        )  # fmt: skip

    @classmethod
    def restore(
        cls,
        state: Mapping[str, Any],
        bars: Sequence[Bar],
        *,
        ladder: tuple[int, ...],
        confidence: float,
        blast_radius: float,
        constants: Constants,
        phi: float | None,
        rps: float | None,
    ) -> Analysis:
        """What `to_status` gave, under the same terms. ValueError if it does not fit them."""
        try:
            return cls(
                bars, ladder=ladder, confidence=confidence, blast_radius=blast_radius,
                constants=constants, phi=phi, rps=rps, state=state,
            )  # fmt: skip
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
        self._count_traffic(sample, seconds, weight_changed)
        rps = self.rps
        margins = tuple(self._margin(step) for step in range(len(self._ladder))) if rps else ()
        for name, signal in self._signals.items():
            pair = sample.signals.get(name)
            if pair is None or (warming and signal.spec.latency):
                continue
            signal.update(
                pair,
                seconds=seconds,
                weight_changed=weight_changed,
                margins=margins,
                memory=SCRAPES * self._constants.scrape,
            )
        errors = sample.signals.get(ERRORS)
        if errors is not None and ERRORS in self._signals:
            self._dead.update(errors.candidate, errors.stable, seconds=seconds)

    def _count_traffic(self, sample: Sample, seconds: float, weight_changed: bool) -> None:
        pairs = sample.signals
        mine = max((pair.candidate.n for pair in pairs.values()), default=0.0)
        both = max((p.candidate.n + p.stable.n for p in pairs.values()), default=0.0)
        self.quiet = 0.0 if mine > 0 else rounded(self.quiet + seconds)
        self.looks = (0 if weight_changed else self.looks) + (1 if mine > 0 else 0)
        if self._given or self._rps:
            return
        self._n, self._seconds = rounded(self._n + both), rounded(self._seconds + seconds)
        enough = self._n >= TRAFFIC_REQUESTS and self._seconds >= TRAFFIC_SECONDS
        if enough or (self._n > 0 and self._seconds >= TRAFFIC_PATIENCE):
            # Fixed from here on: a margin that moved would be chosen after seeing the data.
            self._rps = max(0.001, rounded(self._n / self._seconds))

    @property
    def rps(self) -> float:
        """All traffic in requests per second that the margins rest on; 0 while it is not known."""
        return self._given or self._rps

    def _margin(self, step: int) -> float:
        return margin(self._ladder[step], blast_radius=self._blast, rps=self.rps)

    def worse(self) -> Worse:
        """Is it bad? By the average of all scores, or because it is dead on arrival."""
        mark = self._constants.guard_mark
        parts: list[tuple[float, str, SignalScores]] = []
        for signal in self._signals.values():
            relative, bar = signal.parts(mark)
            kind = "Latency" if signal.spec.latency else "Errors"
            parts += [(relative, f"{kind}Worse", signal), (bar, f"{kind}Breached", signal)]
        if not parts:
            return Worse(False, "", "no signal is declared", 0.0, "0.0%")
        log_m = log_mean([max(part[0], -1e6) for part in parts])
        sure = sentences.confidence(log_m)
        if self._dead.dead(self.phi):
            window, errors = self._dead, self._signals[ERRORS]
            message = sentences.dead(window.n, window.bad, window.seconds, errors.rate.share)
            return Worse(True, "DeadOnArrival", message, log_m, sure)
        _, reason, signal = max(parts, key=lambda part: part[0])
        if reason.endswith("Breached"):
            message = sentences.breached(signal, sure)
        else:
            message = sentences.worse(signal, sure, self._constants)
        if log_m < -math.log(1 - self._confidence):
            return Worse(False, "", message, log_m, sure)
        return Worse(True, reason, message, log_m, sure)

    def shared(self) -> str:
        """What both arms fail at, as words; empty if nothing: then neither model is to blame."""
        mark = self._constants.guard_mark
        return next(
            (sentences.alike(s) for s in self._signals.values() if s.stable_fails(mark)), ""
        )

    def proven(self, step: int) -> Proven:
        """May ladder entry `step` (an index) be entered? Every signal must be proven for it."""
        mark = self._constants.guard_mark
        for signal in self._signals.values():
            if signal.stable_fails(mark):
                return Proven(False, "StableFailing", sentences.stable_failing(signal), None)
        each = f"{self._constants.promote_confidence:.0%}"
        if not self.rps:
            return Proven(False, "NeedsMoreRequests", "too few requests to know the traffic", None)
        target = self._target()
        short = [s for s in self._signals.values() if s.accept.log_e(step) < target]
        if not short:
            known = [(s.spec, self._bound(s) or self._margin(step)) for s in self._signals.values()]
            n = min((s.candidate.n for s in self._signals.values()), default=0.0)
            return Proven(True, "Sampling", sentences.bounds(known, each, n), 0.0)
        times = [(self._missing(signal, step), signal) for signal in short]
        seconds, slowest = max(times, key=lambda pair: math.inf if pair[0] is None else pair[0])
        message = sentences.missing(
            slowest.spec, self._bound(slowest), self._margin(step), each, seconds
        )
        reason = "NeedsMoreRequests"
        if slowest.between_edges() and seconds is None:
            reason = "NoBucketEdge"
            message += f" ({slowest.spec.text} lies between bucket edges; the one below decides)"
        return Proven(False, reason, message, seconds)

    def _target(self) -> float:
        return -math.log(1 - self._constants.promote_confidence)

    def _bound(self, signal: SignalScores) -> float | None:
        """The smallest margin that is proven, on the grid of the ladder."""
        proven = [
            self._margin(i)
            for i in range(len(self._ladder))
            if signal.accept.log_e(i) >= self._target()
        ]
        return min(proven, default=None)

    def _missing(self, signal: SignalScores, step: int) -> float | None:
        pace = signal.accept.pace[step]
        seconds = (self._target() - signal.accept.log_e(step)) / pace if pace > 0 else math.inf
        return seconds if seconds <= LONGEST else None

    def figures(self, step: int | None = None) -> dict[str, tuple[str, int, Kind]]:
        """For people: the candidate's share of bad requests, on how many, and what that means.

        `step`: the ladder index to be entered next; without it, the last one.
        """
        verdict = self.worse()
        entered = len(self._ladder) - 1 if step is None else step
        shown: dict[str, tuple[str, int, Kind]] = {}
        for name, signal in self._signals.items():
            mine = signal.candidate
            value = sentences.share(sentences.of(mine.bad, mine.n))
            if signal.spec.latency:
                value += f" > {signal.spec.text}" if signal.spec.text else " slow"
            kind: Kind = "Undecided"
            if mine.n <= 0:
                kind = "NoData"
            elif verdict.bad and _of_latency(verdict.reason) == signal.spec.latency:
                kind = "Bad"
            elif self._ladder and self.rps and signal.accept.log_e(entered) >= self._target():
                kind = "Good"
            shown[name] = (value, round(mine.n), kind)
        return shown

    def to_status(self) -> dict[str, Any]:
        """All that a verdict needs, as decimal strings; at most 3 KiB for two signals."""
        until = self.consumed_until
        verdict = self.worse()
        return {
            "consumedUntil": told(until),
            "evidence": text(rounded(verdict.log_m)),
            "confidence": verdict.confidence,
            "phi": text(rounded(self.phi)),
            "rps": text(self._rps),
            "traffic": {"n": text(self._n), "seconds": text(self._seconds)},
            "quiet": text(self.quiet),
            "looks": self.looks,
            "dead": self._dead.to_status(),
            "signals": [signal.to_status() for signal in self._signals.values()],
        }


def _of_latency(reason: str) -> bool:
    """Whether a reason speaks of latency rather than of errors."""
    return reason.startswith("Latency")
