"""The comparison of what serves with its predecessor, before it is rolled back for its evidence.

An exception to "only Good raises a weight": the predecessor was promoted before, and its ready
endpoints are read from the API server just before the write.
"""

from __future__ import annotations

import math
from dataclasses import replace

from merit.api.evidence_state import AnalysisState
from merit.api.live_status import Comparison
from merit.api.status import Revision, Status
from merit.policy.live.live_signals import Live, live_of
from merit.policy.outcomes.roll_back import roll_back_live
from merit.policy.state.capacity import HEADROOM
from merit.policy.state.context import resumed
from merit.policy.state.decision import Decision, Note, all_to, decisive
from merit.policy.state.evidence import ComparisonEvidence
from merit.policy.state.observed import Observed, RevisionPods
from merit.policy.state.pod_shares import share_of
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import age, seconds, stamp
from merit.policy.state.transitions import predecessor, with_leaving, with_stage
from merit.policy.state.verdict import Verdict
from merit.stats.analysis import Analysis
from merit.stats.counts import Sample
from merit.stats.terms import Terms

STARTING = 900.0  # seconds that a cold predecessor has to become ready
COMPARING = 900.0  # seconds until a comparison without a result ends
CLOCK_SKEW = 5.0  # seconds by which two clocks may differ
MOST = 50  # percent that the predecessor gets at most
PODS = "pods"  # the signal of an alarm that rests on what Kubernetes says


def in_the_way(status: Status, *, comparing: bool) -> bool:
    """A candidate has traffic or, before a comparison, is past its gates.

    One without traffic does not prevent a rollback where the pods of what serves have ended.
    """
    candidate = status.candidate
    if candidate is None or candidate.at_gate:
        return False
    return comparing or candidate.weight > 0


def begin_comparison(
    live: Live, before: Revision, status: Status, why: str, now: float
) -> Decision:
    """Bring the predecessor up; traffic follows when it is ready."""
    at = stamp(now)
    comparison = Comparison(
        revision=before.revision, short=before.short, policy=before.policy,
        version=before.version, promoted_at=before.promoted_at, began=at, since=at,
        floor=live.pods.desired,
    )  # fmt: skip
    status = status.model_copy(update={"comparison": comparison})
    what = f"{live.revision.short} is compared with its predecessor {before.short}"
    status = _with_live_stage(status, Verdict("Undecided", "Comparing", why), now)
    event = f"version {live.revision.version}: {why}; version {before.version} serves beside it"
    note = Note("Comparing", f"{event} again, to compare", warning=True)
    return decisive(status, what, why, now, note, urgent=True)


def compare_live(seen: Observed, now: float) -> Decision | None:
    """The comparison in progress: bring the predecessor up, compare, end. Silent in between."""
    comparison, live = seen.status.comparison, live_of(seen)
    if comparison is None:
        return None
    accepted = seen.record(comparison)
    before = predecessor(seen.status, seen.recorded.accepted)
    if live is None or accepted is None or before is None or before.short != comparison.short:
        return _end(seen, "NoHealthyRevision", "the predecessor is no longer there", now)
    alarm, candidate = seen.status.alarm, seen.status.candidate
    if alarm is None:
        return _end(seen, "Superseded", "what it is judged by was edited", now)
    if candidate is not None and in_the_way(seen.status, comparing=alarm.signal != PODS):
        return _end(seen, "CandidateExposed", f"newer content, {candidate.short}, is due", now)
    if not live.accepted.spec.rollback_policy.automatic:
        return _end(seen, "NotAutomatic", "rollbackPolicy.automatic is false", now)
    pods = seen.pods_of(comparison.short)
    failing = live.failing_pods()
    if failing and pods.ready > 0:
        verdict = Verdict("Bad", "CrashLoop", failing, PODS)
        return roll_back_compared(seen, live, before, seen.status, verdict, now)
    if comparison.stage == "Starting":
        return _start(seen, live, pods, now)
    if pods.ready < 1:
        return _inconclusive(seen, live, "PredecessorDown", "its predecessor has no ready pod", now)
    return _judge(seen, live, before, now)


def _start(seen: Observed, live: Live, pods: RevisionPods, now: float) -> Decision | None:
    """Wait for the predecessor's pods, then give them as much as they can carry."""
    comparison, alarm = seen.status.comparison, seen.status.alarm
    assert comparison is not None and alarm is not None
    late = pods.deadline_exceeded or age(comparison.began, now) > STARTING
    if late or (pods.looping and not pods.ready):
        why = f"its predecessor does not come up: {pods.detail or pods.blocked or 'not in time'}"
        return _inconclusive(seen, live, "PredecessorDown", why, now)
    if alarm.signal == PODS and not live.failing_pods():
        return _end(seen, "Recovered", "its pods are ready again", now)
    if alarm.signal == PODS or not pods.in_sync or pods.ready < max(1, pods.desired):
        return None
    if (
        seen.failed
        or seen.measurements.dispersion_pending
        or not isinstance(seen.measurements.live, Sample)
    ):
        return None  # nothing can be compared yet: no weight is raised without measurements
    weight = _predecessor_weight(seen, live, pods)
    entered = comparison.model_copy(
        update={"stage": "Comparing", "weight": weight, "since": stamp(now), "analysis": None}
    )
    status = seen.status.model_copy(update={"comparison": entered})
    what = f"{comparison.short} 0% -> {weight}%, to compare"
    note = Note("Comparing", f"version {comparison.version} has {weight}%, to compare")
    return decisive(status, what, alarm.message, now, note, urgent=True)


def _predecessor_weight(seen: Observed, live: Live, pods: RevisionPods) -> int:
    """Percent for the predecessor: what its pods can carry, from a control group up to half."""
    serving = max(1, live.pods.desired)
    if by_pods(seen):
        return share_of(pods.ready, serving)
    carried = math.floor(100 * pods.ready / (serving * HEADROOM))
    return min(MOST, max(live.settings.holdback_weight, carried))


def with_comparison_evidence(seen: Observed) -> Observed:
    """The view with the comparison's evidence after the newest sample."""
    comparison, live = seen.status.comparison, live_of(seen)
    if comparison is None or live is None or comparison.stage != "Comparing":
        return seen
    sample, state = seen.measurements.comparison, comparison.analysis
    if _without_pods(live.pods, sample):
        return _with_analysis(seen, comparison, None)
    analysis = _analysis(seen, live, comparison)
    if isinstance(sample, Sample) and sample.is_new(analysis.consumed_until):
        warm = seconds(comparison.since) + seen.tuning.constants.warmup
        warming = sample.since is None or sample.since < warm
        analysis.observe(sample, weight_changed=False, warming=warming)
        state = AnalysisState.model_validate(analysis.to_status())
    if state is None:
        return seen
    evidence = ComparisonEvidence(analysis.worse(), analysis.shared())
    seen = replace(seen, evidence=replace(seen.evidence, comparison=evidence))
    return _with_analysis(seen, comparison, state)


def _with_analysis(seen: Observed, comparison: Comparison, state: AnalysisState | None) -> Observed:
    kept = comparison.model_copy(update={"analysis": state})
    return replace(seen, status=seen.status.model_copy(update={"comparison": kept}))


def _without_pods(pods: RevisionPods, sample: object) -> bool:
    """What serves has no ready pod, or had none in a part of this sample: a lost node, an eviction.

    Requests that no pod could answer are no evidence about the model.
    """
    if pods.ready == 0:
        return True
    since = sample.since if isinstance(sample, Sample) else None
    return since is not None and since < pods.ready_since + CLOCK_SKEW


def _analysis(seen: Observed, live: Live, comparison: Comparison) -> Analysis:
    """The sequential tests: what serves as the candidate, its predecessor as stable."""
    terms = Terms(
        (),
        confidence=live.settings.confidence,
        constants=seen.tuning.constants,
        phi=seen.measurements.dispersion,
        source=seen.tuning.view,
    )
    return resumed(comparison.analysis, live.accepted.spec, terms)[0]


def _judge(seen: Observed, live: Live, before: Revision, now: float) -> Decision | None:
    """End the comparison if it has a result, or no time left."""
    comparison = seen.status.comparison
    assert comparison is not None
    evidence = seen.evidence.comparison
    if evidence is not None:
        worse, shared = evidence.worse, evidence.shared
        if worse.bad:  # its predecessor is better in the same minutes: no incident holds that
            verdict = Verdict("Bad", worse.reason, worse.message, worse.signal)
            return roll_back_compared(seen, live, before, seen.status, verdict, now)
        if shared:
            return _inconclusive(seen, live, "SharedFailure", f"{shared}: the environment", now)
    if age(comparison.since, now) >= COMPARING:
        why = f"{COMPARING / 60:.0f} minutes beside its predecessor gave no verdict"
        return _inconclusive(seen, live, "NotConfirmed", why, now)
    return None


def roll_back_compared(
    seen: Observed, live: Live, before: Revision, status: Status, verdict: Verdict, now: float
) -> Decision:
    """What serves is to blame: its predecessor serves again, and the next rollback waits."""
    until = stamp(now + live.settings.cooldown)
    status = status.model_copy(update={"cooldown_until": until})
    return roll_back_live(seen, status, before, verdict, now)


def _inconclusive(seen: Observed, live: Live, reason: str, why: str, now: float) -> Decision:
    """Without a result: back to 100 %, and the next comparison waits."""
    until = stamp(now + live.settings.cooldown)
    return _end(seen, reason, why, now, cooldown_until=until)


def _end(
    seen: Observed, reason: str, why: str, now: float, cooldown_until: str | None = None
) -> Decision:
    """All traffic back to what serves; the predecessor is kept warm as before."""
    comparison, stable, alarm = seen.status.comparison, seen.status.stable, seen.status.alarm
    assert comparison is not None
    short = comparison.short
    until = next((a.until for a in seen.status.leaving if a.short == short and a.kept), "")
    update: dict[str, object] = {
        "comparison": None,
        "leaving": with_leaving(seen.status, short, now, seconds(until) - now),
        "alarm": alarm.model_copy(update={"held": reason, "why": why}) if alarm else None,
    }
    if cooldown_until is not None:
        update["cooldown_until"] = cooldown_until
    status = seen.status.model_copy(update=update)
    status = _with_live_stage(status, Verdict("Undecided", reason, why), now)
    what = f"{short} {comparison.weight}% -> 0%: the comparison is over"
    note = Note(reason, f"version {stable.version if stable else ''}: {why}", warning=True)
    return decisive(status, what, why, now, note, fallback=all_to(stable), urgent=True)


def _with_live_stage(status: Status, verdict: Verdict, now: float) -> Status:
    """The flow's last stage; while there is a candidate, the flow is that of the candidate."""
    return status if status.candidate is not None else with_stage(status, "Live", verdict, now)
