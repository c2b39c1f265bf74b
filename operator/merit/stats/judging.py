"""From the e-processes to answers: is the candidate worse, is it proven, and which message?

Merging by averages, the guard, and "every signal must be proven": docs/concepts/statistics.md,
"From evidence to a verdict" (Vovk and Wang; Berger).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from merit.stats import sentences
from merit.stats.e_process import log_mean
from merit.stats.early_failure import EarlyFailure
from merit.stats.signal import SignalEvidence
from merit.stats.terms import Terms

LONGEST = 24 * 3600.0  # a forecast beyond a day is "not at this traffic"
ERRORS = "errors"
_NOTHING = -1e6  # ln of an e-value of 0


@dataclass(frozen=True, slots=True)
class Worse:
    """Whether the candidate is bad. `log_e`: ln of the e-value M that the answer rests on;
    `confidence`: 1 - 1/M; `signal`: the one that is to blame, or that has the most evidence.
    """

    bad: bool
    reason: str
    message: str
    log_e: float
    confidence: str
    signal: str = ""


@dataclass(frozen=True, slots=True)
class Proven:
    """Whether a step may be entered; `missing_seconds` is None if it cannot be estimated."""

    good: bool
    reason: str
    message: str
    missing_seconds: float | None


def worse(signals: Collection[SignalEvidence], early: EarlyFailure, terms: Terms) -> Worse:
    """By the average of all e-values, or because of an early failure."""
    if not signals:
        return Worse(False, "", "no signal is declared", 0.0, "0.0%")
    parts = [(_parts(signal, terms), signal) for signal in signals]
    log_e = log_mean([part for both, _ in parts for part in both])
    failing = next((s for s in signals if s.spec.name == ERRORS), None)
    if failing is not None and early.detected(failing.betting.phi):
        message = sentences.early_failure(early, failing.stable_rate.share)
        sure = sentences.confidence(log_e)
        return Worse(True, "DeadOnArrival", message, log_e, sure, ERRORS)
    return _by_signal(*max(parts, key=lambda part: max(part[0])), log_e, terms)


def bad_signals(
    signals: Collection[SignalEvidence], early: EarlyFailure, terms: Terms
) -> tuple[Worse, ...]:
    """Every signal that is bad, first the one that `worse` names; empty while that is not bad.

    Once the combined e-value reaches the threshold, any other signal is bad whose own e-value
    reaches it too. So what is done about one signal rests on evidence of the same level, and does
    not wait until that is the highest of all.
    """
    first = worse(signals, early, terms)
    if not first.bad:
        return ()
    if first.log_e < terms.threshold:
        return (first,)
    others = [(_parts(s, terms), s) for s in signals if s.spec.name != first.signal]
    own = [_by_signal(both, s, log_mean(both), terms) for both, s in others]
    return first, *sorted((w for w in own if w.bad), key=lambda w: -w.log_e)


def _parts(signal: SignalEvidence, terms: Terms) -> list[float]:
    """ln of the two e-values of a signal: worse than stable, and beyond its bar."""
    return [max(part, _NOTHING) for part in signal.log_e_values(terms.guard_mark)]


def _by_signal(parts: list[float], signal: SignalEvidence, log_e: float, terms: Terms) -> Worse:
    """The answer of the log e-value `log_e`, with the message of a signal."""
    relative, bar = parts
    sure = sentences.confidence(log_e)
    if bar > relative:
        kind, message = "Breached", sentences.breached(signal, sure)
    else:
        kind, message = "Worse", sentences.worse(signal, sure, terms.constants)
    bad = log_e >= terms.threshold
    reason = f"{'Latency' if signal.spec.latency else 'Errors'}{kind}" if bad else ""
    return Worse(bad, reason, message, log_e, sure, signal.spec.name)


def shared(signals: Collection[SignalEvidence], terms: Terms) -> str:
    """A sentence about what both arms fail at; empty if nothing."""
    signal = _shared_failure(signals, terms)
    return sentences.both_fail(signal) if signal else ""


def _shared_failure(signals: Collection[SignalEvidence], terms: Terms) -> SignalEvidence | None:
    """The signal whose bar stable breaks itself, while nothing shows the candidate worse.

    A candidate inside the bar is the repair of a failing stable, and must not wait.
    """
    for signal in signals:
        breaks = signal.stable_breaks_bar(terms.constants.guard_mark)
        if breaks and not signal.inside_bar() and not signal.worse_than_stable(terms.guard_mark):
            return signal
    return None


def proven(signals: Collection[SignalEvidence], terms: Terms, *, step: int, rps: float) -> Proven:
    """Every signal must be proven for the ladder's entry `step`."""
    failing = _shared_failure(signals, terms)
    if failing is not None:
        return Proven(False, "StableFailing", sentences.stable_failing(failing), None)
    confidence = f"{terms.constants.promote_confidence:.0%}"
    if not rps:
        return Proven(False, "NeedsMoreRequests", "too few requests to know the traffic", None)
    margin = terms.margin(step, rps)
    unproven = [s for s in signals if not _is_proven(s, terms, step)]
    if not unproven:
        known = [(s.spec, _bound(s, terms, rps) or margin) for s in signals]
        n = min((s.candidate.n for s in signals), default=0.0)
        return Proven(True, "Sampling", sentences.bounds(known, confidence, n), 0.0)
    times = [(_missing(signal, terms, step), signal) for signal in unproven]
    seconds, slowest = max(times, key=lambda pair: math.inf if pair[0] is None else pair[0])
    known_bound = _bound(slowest, terms, rps)
    message = sentences.missing(slowest.spec, known_bound, margin, confidence, seconds)
    reason = "NeedsMoreRequests"
    if slowest.between_edges() and seconds is None:
        reason = "NoBucketEdge"
        message += f" ({slowest.spec.text} lies between bucket edges; the one below decides)"
    return Proven(False, reason, message, seconds)


def _is_proven(signal: SignalEvidence, terms: Terms, step: int) -> bool:
    return signal.non_inferiority.log_e(step) >= terms.proof_threshold


def _bound(signal: SignalEvidence, terms: Terms, rps: float) -> float | None:
    """The smallest margin that is proven, on the grid of the ladder."""
    proven = (i for i in range(len(terms.ladder)) if _is_proven(signal, terms, i))
    return min((terms.margin(i, rps) for i in proven), default=None)


def _missing(signal: SignalEvidence, terms: Terms, step: int) -> float | None:
    """Seconds until the step is proven at the present pace; None beyond LONGEST."""
    evidence = signal.non_inferiority
    missing, pace = terms.proof_threshold - evidence.log_e(step), evidence.pace[step]
    seconds = missing / pace if pace > 0 else math.inf
    return seconds if seconds <= LONGEST else None
