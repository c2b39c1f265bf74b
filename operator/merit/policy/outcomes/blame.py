"""Relief at once, blame when the others are counted: what a bad verdict on measurements leads to.

While it is counted how many turn bad together, and in an incident, a candidate that is worse than
its own stable loses its traffic without being rejected: that helps its users whatever the cause.
"""

from __future__ import annotations

from dataclasses import replace

from merit.policy.outcomes.incident import HOLD, REASON, blame_pending, may_hold
from merit.policy.outcomes.roll_back import keep_exposed, roll_back
from merit.policy.outcomes.withdraw import withdraw
from merit.policy.state.context import RolloutContext, rollout_context
from merit.policy.state.counted_signals import bars
from merit.policy.state.decision import Decision, Note, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.policy.state.transitions import with_stage
from merit.policy.state.verdict import Verdict
from merit.stats.counts import Sample


def roll_back_on_evidence(
    context: RolloutContext, verdict: Verdict, now: float, *, relief: bool
) -> Decision | None:
    """Reject the candidate, unless so many may be turning bad at once that it is not the model.

    `relief`: its traffic is better off at stable, so that it moves there in any case. None: nothing
    is decided before the others are counted, and every other rule acts meanwhile.
    """
    if not _withheld(context.seen, now):
        return replace(roll_back(context, verdict, now), scored=True)
    held = _held(context.seen, verdict)
    if relief:
        excused = stamp(now + HOLD) if held is not None else ""
        return withdraw(context, held or verdict, now, excused=excused)
    return keep_exposed(context, held, now) if held is not None else None


def stable_is_healthy(context: RolloutContext, signal: str) -> bool:
    """Whether stable was inside the bar in the same sample, or at most half as bad."""
    sample = context.seen.measurements.sample
    pair = sample.signals.get(signal) if isinstance(sample, Sample) else None
    if pair is None or pair.stable.n <= 0:
        return False
    limits = (bar.limit for bar in bars(context.accepted.spec) if bar.name == signal)
    return pair.stable.share <= max((*limits, pair.candidate.share / 2))


def settle_blame(seen: Observed, now: float) -> Decision | None:
    """A candidate that was bad and has lost its traffic is rejected, or excused by an incident."""
    context = rollout_context(seen)
    if context is None or not blame_pending(seen.status):
        return None
    candidate, rollout = context.candidate, seen.status.stage("Rollout")
    assert rollout is not None
    if candidate.short in seen.traffic.route.weights and not seen.traffic.refused:
        return None  # its traffic goes first
    verdict = Verdict("Bad", rollout.reason, rollout.message, rollout.signal)
    if not _withheld(seen, now):
        return replace(roll_back(context, verdict, now), scored=True)
    held = _held(seen, verdict)
    if held is None:
        return None
    excused = candidate.model_copy(update={"excused": stamp(now + HOLD)})
    status = seen.status.model_copy(update={"candidate": excused})
    status = with_stage(status, "Rollout", held, now)
    note = Note(REASON, f"version {candidate.version}: {held.message}", warning=True)
    return decisive(status, f"{candidate.short} is not blamed", held.message, now, note)


def _withheld(seen: Observed, now: float) -> bool:
    return (seen.counting or bool(seen.incident)) and may_hold(seen.status, now)


def _held(seen: Observed, verdict: Verdict) -> Verdict | None:
    """The verdict under an incident; None while it is not known whether there is one."""
    if not seen.incident:
        return None
    why = f"{seen.incident}: the metrics or the platform; {verdict.message}"
    return Verdict("Undecided", REASON, why, verdict.signal)
