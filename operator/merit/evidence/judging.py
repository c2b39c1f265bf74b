"""From scores to answers: is it worse, is it proven, and what is there to say about it?"""

from __future__ import annotations

import math
from collections.abc import Collection

from merit.evidence import sentences
from merit.evidence.answers import Kind, Proven, Worse
from merit.evidence.dead import DeadWindow
from merit.evidence.score import log_mean
from merit.evidence.signal import SignalScores
from merit.evidence.terms import Terms

LONGEST = 24 * 3600.0  # a forecast beyond a day is "not at this traffic"
ERRORS = "errors"
_NOTHING = -1e6  # ln of a score without any money


def worse(signals: Collection[SignalScores], dead: DeadWindow, terms: Terms) -> Worse:
    """By the average of all scores, or because it is dead on arrival."""
    parts: list[tuple[float, str, SignalScores]] = []
    for signal in signals:
        relative, bar = signal.parts(terms.guard_mark)
        kind = "Latency" if signal.spec.latency else "Errors"
        parts += [(relative, f"{kind}Worse", signal), (bar, f"{kind}Breached", signal)]
    if not parts:
        return Worse(False, "", "no signal is declared", 0.0, "0.0%")
    log_m = log_mean([max(part[0], _NOTHING) for part in parts])
    sure = sentences.confidence(log_m)
    failing = next((s for s in signals if s.spec.name == ERRORS), None)
    if failing is not None and dead.dead(failing.scoring.phi):
        message = sentences.dead(dead.n, dead.bad, dead.seconds, failing.rate.share)
        return Worse(True, "DeadOnArrival", message, log_m, sure)
    _, reason, signal = max(parts, key=lambda part: part[0])
    if reason.endswith("Breached"):
        message = sentences.breached(signal, sure)
    else:
        message = sentences.worse(signal, sure, terms.constants)
    if log_m < terms.mark:
        return Worse(False, "", message, log_m, sure)
    return Worse(True, reason, message, log_m, sure)


def shared(signals: Collection[SignalScores], terms: Terms) -> str:
    """What both arms fail at, as words; empty if nothing."""
    signal = _fails_too(signals, terms)
    return sentences.alike(signal) if signal else ""


def _fails_too(signals: Collection[SignalScores], terms: Terms) -> SignalScores | None:
    """The signal whose bar stable breaks itself, while nothing shows the candidate worse.

    A candidate that keeps inside the bar does not fail too: it is the repair, and must not wait.
    """
    for signal in signals:
        breaks = signal.stable_breaks(terms.constants.guard_mark)
        if breaks and not signal.inside() and not signal.guarded(terms.guard_mark):
            return signal
    return None


def proven(signals: Collection[SignalScores], terms: Terms, *, step: int, rps: float) -> Proven:
    """Every signal must be proven for the ladder's entry `step`."""
    failing = _fails_too(signals, terms)
    if failing is not None:
        return Proven(False, "StableFailing", sentences.stable_failing(failing), None)
    each = f"{terms.constants.promote_confidence:.0%}"
    if not rps:
        return Proven(False, "NeedsMoreRequests", "too few requests to know the traffic", None)
    margin = terms.margin(step, rps)
    short = [s for s in signals if s.accept.log_e(step) < terms.proof]
    if not short:
        known = [(s.spec, _bound(s, terms, rps) or margin) for s in signals]
        n = min((s.candidate.n for s in signals), default=0.0)
        return Proven(True, "Sampling", sentences.bounds(known, each, n), 0.0)
    times = [(_missing(signal, terms, step), signal) for signal in short]
    seconds, slowest = max(times, key=lambda pair: math.inf if pair[0] is None else pair[0])
    known_bound = _bound(slowest, terms, rps)
    message = sentences.missing(slowest.spec, known_bound, margin, each, seconds)
    reason = "NeedsMoreRequests"
    if slowest.between_edges() and seconds is None:
        reason = "NoBucketEdge"
        message += f" ({slowest.spec.text} lies between bucket edges; the one below decides)"
    return Proven(False, reason, message, seconds)


def figures(
    signals: Collection[SignalScores], verdict: Worse, terms: Terms, *, step: int, rps: float
) -> dict[str, tuple[str, int, Kind]]:
    """Per signal, for people: the candidate's share of bad requests, of how many, what it means."""
    shown: dict[str, tuple[str, int, Kind]] = {}
    for signal in signals:
        mine = signal.candidate
        value = sentences.share(sentences.of(mine.bad, mine.n))
        if signal.spec.latency:
            value += f" > {signal.spec.text}" if signal.spec.text else " slow"
        kind: Kind = "Undecided"
        if mine.n <= 0:
            kind = "NoData"
        elif verdict.bad and verdict.reason.startswith("Latency") == signal.spec.latency:
            kind = "Bad"
        elif terms.ladder and rps and signal.accept.log_e(step) >= terms.proof:
            kind = "Good"
        shown[signal.spec.name] = (value, round(mine.n), kind)
    return shown


def _bound(signal: SignalScores, terms: Terms, rps: float) -> float | None:
    """The smallest margin that is proven, on the grid of the ladder."""
    steps = range(len(terms.ladder))
    proven = [terms.margin(i, rps) for i in steps if signal.accept.log_e(i) >= terms.proof]
    return min(proven, default=None)


def _missing(signal: SignalScores, terms: Terms, step: int) -> float | None:
    pace = signal.accept.pace[step]
    seconds = (terms.proof - signal.accept.log_e(step)) / pace if pace > 0 else math.inf
    return seconds if seconds <= LONGEST else None
