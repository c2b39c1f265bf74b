"""The end of a revision that is bad: rejected, and its traffic goes back to the one before.

What was measured comes here through `blame`, as an incident of the fleet may withhold it; what
rests on no measurement (pods that are down, an abort) comes here at once.
"""

from __future__ import annotations

import math

from merit.api.status import Revision, Signal, Status
from merit.policy.outcomes.incident import REASON as FLEET
from merit.policy.state.context import RolloutContext
from merit.policy.state.counted_signals import CountedSignal, counted_signals, is_gauge
from merit.policy.state.decision import Decision, Note, all_to, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.policy.state.transitions import with_live_rejection, with_rejection, with_stage
from merit.policy.state.verdict import Verdict
from merit.stats.counts import Counts


def roll_back(context: RolloutContext, verdict: Verdict, now: float) -> Decision:
    """Reject the candidate. The ledger is written first; traffic, pin and pods follow from it."""
    old = context.candidate
    status = with_stage(context.status, "Rollout", verdict, now)
    status = with_rejection(
        status, context.accepted.identity, "Rollout", verdict, old.version, now,
        signals=measured(context, verdict, now),
    )  # fmt: skip
    share = f" {old.weight}% -> 0%," if old.weight else ""
    what = f"{old.short}{share} rejected"
    note = Note("RolledBack", f"version {old.version}: {verdict.message}", warning=True)
    back = all_to(context.status.stable)
    return decisive(status, what, verdict.message, now, note, fallback=back, urgent=True)


def keep_exposed(context: RolloutContext, verdict: Verdict, now: float) -> Decision:
    """It keeps its weight though it is bad: one Event says so, and its evidence goes on."""
    old = context.status.stage("Rollout")
    announced = old is not None and (old.verdict == "Bad" or old.reason == FLEET)
    return Decision(
        with_stage(with_evidence(context.seen), "Rollout", verdict, now),
        notes=() if announced else (Note(verdict.reason, verdict.message, True),),
        requeue_after=context.seen.tuning.tick,
    )


def with_evidence(seen: Observed) -> Status:
    """The status with the newest evidence about the candidate, where nothing else may move.

    Whatever freezes a candidate, its evidence goes on: safety acts on what has been gathered.
    """
    if seen.evidence.rollout is None:
        return seen.status
    return seen.status.model_copy(update={"analysis": seen.evidence.rollout.state})


def measured(context: RolloutContext, verdict: Verdict, now: float) -> tuple[Signal, ...]:
    """Every signal of the candidate with its numbers; without traffic, as they were before.

    Nothing is measured for it: what cannot be read is left out, and holds up no rollback.
    """
    if context.candidate.weight == 0:
        return context.candidate.measured
    analysis = with_evidence(context.seen).analysis
    states = analysis.signals if analysis is not None else ()
    counts = {state.name: read for state in states if (read := _read(state.canary))}
    counted = (
        _counted(signal, counts[signal.name], now)
        for signal in counted_signals(context.accepted.spec)
        if signal.name in counts
    )
    gauges = (signal for signal in context.status.signals if is_gauge(signal.name))
    return tuple(
        signal.model_copy(update={"verdict": "Bad"}) if signal.name == verdict.signal else signal
        for signal in (*counted, *gauges)
    )


def _read(packed: str) -> Counts | None:
    try:
        n, bad = map(float, packed.split())
    except ValueError:
        return None
    return Counts(n, bad) if 0 <= bad <= n < math.inf else None


def _counted(signal: CountedSignal, counts: Counts, now: float) -> Signal:
    return Signal(
        name=signal.name,
        value=f"{counts.share:.2%}: {counts.bad:,.0f} of {counts.n:,.0f}",
        bar=signal.text,
        n=round(counts.n),
        verdict="Undecided" if counts.share > signal.limit else "Good" if counts.n else "NoData",
        at=stamp(now),
    )


def roll_back_live(
    seen: Observed, status: Status, back: Revision, verdict: Verdict, now: float
) -> Decision:
    """Reject the stable revision, so that `back` serves again. The ledger is written first.

    Traffic follows once `back` has ready endpoints; until then what serves goes on serving.
    """
    old = status.stable
    assert old is not None
    accepted = seen.recorded.accepted[old.key]
    if status.candidate is None:  # otherwise the flow is that of a newer version in its gates
        status = with_stage(status, "Live", verdict, now)
    status = with_live_rejection(status, accepted.identity, back, verdict, now)
    what = f"{old.short} rejected, {back.short} serves again"
    why = f"version {old.version} gives way to {back.version}: {verdict.message}"
    note = Note("RolledBack", why, warning=True)
    fallback = all_to(back) if seen.pods_of(back.short).ready > 0 else None
    return decisive(status, what, verdict.message, now, note, fallback=fallback, urgent=True)
