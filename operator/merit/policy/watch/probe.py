"""The verification: what serves is compared with its predecessor before anything is blamed on it.

Stated exception to "only Good raises a weight": the predecessor was promoted before, and its ready
endpoints are read afresh. Nothing is rejected by it alone, and either end is allowed.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace

from merit.api.status import Revision, Status
from merit.api.watched import Verifying
from merit.evidence.analysis import Analysis, Terms
from merit.evidence.counts import Sample
from merit.policy.canary.capacity import HEADROOM
from merit.policy.canary.outcome import all_to, returned
from merit.policy.decision import Decision, Note
from merit.policy.observed import Arm, Observed
from merit.policy.remember import decided, leaving_with, predecessor, told
from merit.policy.signals import bars
from merit.policy.standing.pods import share_of
from merit.policy.standing.routes import by_pods
from merit.policy.times import age, seconds, stamp
from merit.policy.verdict import Verdict
from merit.policy.watch.breaker import may_hold
from merit.policy.watch.live import Live, live_of

STARTING = 900.0  # seconds that a cold predecessor has to become ready
COMPARING = 900.0  # seconds until a comparison that blames nobody ends
SKEW = 5.0  # seconds by which two clocks may differ
MOST = 50  # percent that the predecessor gets
GATES = ("Evaluation", "Feasibility")
PODS = "pods"  # the signal of an alarm that rests on what Kubernetes says


def in_the_way(status: Status, *, comparing: bool) -> bool:
    """A candidate has traffic, or, where two revisions are to be compared, is due for some.

    One without traffic keeps nobody from taking over where the pods of what serves have ended.
    """
    candidate = status.candidate
    if candidate is None or candidate.stage in GATES:
        return False
    return comparing or candidate.weight > 0


def begin(
    live: Live, before: Revision, status: Status, why: str, now: float, *, scored: bool
) -> Decision:
    """Bring the predecessor up; traffic follows when it is ready."""
    at = stamp(now)
    probe = Verifying(
        revision=before.revision, short=before.short, policy=before.policy,
        version=before.version, promoted_at=before.promoted_at, began=at, since=at,
        floor=live.arm.desired,
    )  # fmt: skip
    status = status.model_copy(update={"verifying": probe})
    what = f"{live.revision.short} is compared with its predecessor {before.short}"
    words = f"version {live.revision.version}: {why}; version {before.version} serves beside it"
    return Decision(
        decided(_told(status, Verdict("Undecided", "Verifying", why), now), what, why, now),
        notes=(Note("Verifying", f"{words} again, to compare", warning=True),),
        decisive_status=True,
        urgent=True,
        scored=scored,
    )


def verify(seen: Observed, now: float) -> Decision | None:
    """The comparison that is going on: bring up, compare, end it. Silent while nothing turns."""
    probe, live = seen.status.verifying, live_of(seen)
    if probe is None:
        return None
    accepted = seen.accepted.get(f"{probe.short}-{probe.policy}")
    before = predecessor(seen.status, seen.accepted)
    if live is None or accepted is None or before is None or before.short != probe.short:
        return _end(seen, "NoHealthyRevision", "the predecessor is no longer there", now)
    alarm, candidate = seen.status.alarm, seen.status.candidate
    if alarm is None:
        return _end(seen, "Superseded", "what it is judged by was edited", now)
    if candidate is not None and in_the_way(seen.status, comparing=alarm.signal != PODS):
        return _end(seen, "CandidateExposed", f"newer content, {candidate.short}, is due", now)
    if not live.accepted.spec.rollback_policy.automatic:
        return _end(seen, "NotAutomatic", "rollbackPolicy.automatic is false", now)
    arm = seen.arms.get(probe.short, Arm(short=probe.short))
    failing = live.failing_pods()
    if failing and arm.ready > 0:
        verdict = Verdict("Bad", "CrashLoop", failing)
        return take_back(seen, live, before, seen.status, verdict, now)
    if probe.stage == "Starting":
        return _start(seen, live, arm, now)
    if arm.ready < 1:
        return _inconclusive(seen, live, "PredecessorDown", "its predecessor has no ready pod", now)
    return _judge(seen, live, before, now)


def _start(seen: Observed, live: Live, arm: Arm, now: float) -> Decision | None:
    """Wait for the predecessor's pods, then give them as much as they can carry."""
    probe, alarm = seen.status.verifying, seen.status.alarm
    assert probe is not None and alarm is not None
    if arm.deadline_exceeded or (arm.looping and not arm.ready) or age(probe.began, now) > STARTING:
        why = f"its predecessor does not come up: {arm.detail or arm.blocked or 'not in time'}"
        return _inconclusive(seen, live, "PredecessorDown", why, now)
    if alarm.signal == PODS and not live.failing_pods():
        return _end(seen, "Recovered", "its pods are ready again", now)
    if alarm.signal == PODS or not arm.in_sync or arm.ready < max(1, arm.desired):
        return None
    if seen.measuring or not isinstance(seen.live, Sample):
        return None  # nothing could be compared yet: no weight is raised blindly
    weight = probe_weight(seen, live, arm)
    entered = probe.model_copy(
        update={"stage": "Comparing", "weight": weight, "since": stamp(now), "analysis": None}
    )
    status = seen.status.model_copy(update={"verifying": entered})
    return Decision(
        decided(status, f"{probe.short} 0% -> {weight}%, to compare", alarm.message, now),
        notes=(Note("Verifying", f"version {probe.version} has {weight}%, to compare"),),
        decisive_status=True,
        urgent=True,
    )


def probe_weight(seen: Observed, live: Live, arm: Arm) -> int:
    """Percent for the predecessor: half, or what its ready pods can carry, but a control group."""
    serving = max(1, live.arm.desired)
    if by_pods(seen):
        return share_of(arm.ready, serving)
    carried = math.floor(100 * arm.ready / (serving * HEADROOM))
    return min(MOST, max(live.known.holdback_weight, carried))


def compared(seen: Observed) -> Observed:
    """The view with the comparison's evidence after the newest look."""
    probe, live = seen.status.verifying, live_of(seen)
    if probe is None or live is None or probe.stage != "Comparing":
        return seen
    if _unanswered(live.arm, seen.probe):
        bare = probe.model_copy(update={"analysis": None})
        return replace(seen, status=seen.status.model_copy(update={"verifying": bare}))
    analysis = _analysis(seen, live, probe)
    if not isinstance(seen.probe, Sample) or not seen.probe.news(analysis.consumed_until):
        return seen
    since, warm = seen.probe.since, seconds(probe.since) + seen.tuning.constants.warmup
    analysis.observe(seen.probe, weight_changed=False, warming=since is None or since < warm)
    kept = probe.model_copy(update={"analysis": analysis.to_status()})
    return replace(seen, status=seen.status.model_copy(update={"verifying": kept}))


def _unanswered(arm: Arm, sample: object) -> bool:
    """What serves has no ready pod, or had none in a part of this look: a lost node, an eviction.

    Who has no pod answers nobody, and nothing of that is about the model.
    """
    if arm.ready == 0:
        return True
    since = sample.since if isinstance(sample, Sample) else None
    return since is not None and since < arm.ready_since + SKEW


def _analysis(seen: Observed, live: Live, probe: Verifying) -> Analysis:
    """The engine over both: what serves as the candidate, its predecessor as stable."""
    terms = Terms.of_probe(
        confidence=live.known.confidence,
        constants=seen.tuning.constants,
        phi=seen.dispersion,
        source=seen.tuning.view,
    )
    declared = bars(live.accepted.spec)
    if probe.analysis:
        with suppress(ValueError):  # of another version, or measured otherwise: it begins anew
            return Analysis.restore(probe.analysis, declared, terms)
    return Analysis.fresh(declared, terms)


def _judge(seen: Observed, live: Live, before: Revision, now: float) -> Decision | None:
    """What the comparison says by now."""
    probe = seen.status.verifying
    assert probe is not None
    if probe.analysis is not None:
        analysis = _analysis(seen, live, probe)
        worse, shared = analysis.worse(), analysis.shared()
        if worse.bad and not (seen.incident and may_hold(seen.status, now)):
            verdict = Verdict("Bad", worse.reason, worse.message)
            decision = take_back(seen, live, before, seen.status, verdict, now)
            return replace(decision, scored=True)
        if shared and not worse.bad:
            return _inconclusive(seen, live, "SharedFailure", f"{shared}: the environment", now)
    if age(probe.since, now) >= COMPARING:
        why = f"{COMPARING / 60:.0f} minutes beside its predecessor did not tell who is to blame"
        return _inconclusive(seen, live, "NotConfirmed", why, now)
    return None


def take_back(
    seen: Observed, live: Live, before: Revision, status: Status, verdict: Verdict, now: float
) -> Decision:
    """What serves is to blame: its predecessor serves again, and the next rollback waits."""
    until = stamp(now + live.known.cooldown)
    status = status.model_copy(update={"cooldown_until": until})
    return returned(seen, status, before, verdict, now)


def _inconclusive(seen: Observed, live: Live, reason: str, why: str, now: float) -> Decision:
    """Nobody is blamed: back to 100 %, and the next comparison waits."""
    until = stamp(now + live.known.cooldown)
    return _end(seen, reason, why, now, cooldown_until=until)


def _end(
    seen: Observed, reason: str, why: str, now: float, cooldown_until: str | None = None
) -> Decision:
    """All traffic back to what serves; the predecessor stays as warm as it was."""
    probe, stable, alarm = seen.status.verifying, seen.status.stable, seen.status.alarm
    assert probe is not None
    until = next((a.until for a in seen.status.leaving if a.short == probe.short and a.kept), "")
    update: dict[str, object] = {
        "verifying": None,
        "leaving": leaving_with(seen.status, probe.short, now, seconds(until) - now),
        "alarm": alarm.model_copy(update={"held": reason, "why": why}) if alarm else None,
    }
    if cooldown_until is not None:
        update["cooldown_until"] = cooldown_until
    status = seen.status.model_copy(update=update)
    status = _told(status, Verdict("Undecided", reason, why), now)
    what = f"{probe.short} {probe.weight}% -> 0%: the comparison is over"
    return Decision(
        decided(status, what, why, now),
        notes=(Note(reason, f"version {stable.version if stable else ''}: {why}", warning=True),),
        decisive_status=True,
        fallback=all_to(stable),
        urgent=True,
    )


def _told(status: Status, verdict: Verdict, now: float) -> Status:
    """The flow's last stage; a newer candidate's flow is not what this is about."""
    return status if status.candidate is not None else told(status, "Live", verdict, now)
