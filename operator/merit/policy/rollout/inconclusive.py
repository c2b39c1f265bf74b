"""Neither good nor bad: hold, and withdraw when the time for it is over."""

from __future__ import annotations

from merit.policy.outcomes.blame import roll_back_on_evidence
from merit.policy.outcomes.promote import promote
from merit.policy.outcomes.withdraw import withdraw
from merit.policy.rollout.raising import needs_approval
from merit.policy.state.context import RolloutContext, rollout_context
from merit.policy.state.decision import Decision
from merit.policy.state.observed import Observed
from merit.policy.state.times import age
from merit.policy.state.transitions import with_stage
from merit.policy.state.verdict import Verdict
from merit.stats.counts import NoSample

SETTLING = 10.0  # seconds in which a gateway takes a route, and nothing is worth reporting
ROUTE_PATIENCE = 300.0  # seconds that a gateway has to take a route
LOST = 300.0  # seconds without data of a signal before it is more than one failed query


def waiting(context: RolloutContext) -> Decision:
    """Everything stays, and nothing is said: what there is to say comes within seconds."""
    return Decision(context.status, requeue_after=context.seen.tuning.tick)


def hold(context: RolloutContext, verdict: Verdict, now: float) -> Decision:
    """Everything stays; the flow says why."""
    status = with_stage(context.status, "Rollout", verdict, now)
    return Decision(status, requeue_after=context.seen.tuning.tick)


def inconclusive(
    context: RolloutContext, verdict: Verdict, now: float, *, may_promote: bool = True
) -> Decision:
    """Hold, and at maxDuration do what the spec says.

    Missing data never rejects, and nothing is promoted past what forbids the next step: where the
    spec says that, it is withdrawn.
    """
    if age(context.candidate.rollout_since, now) < context.settings.max_duration:
        return hold(context, verdict, now)
    if verdict.reason == "NoTraffic" or _just_lost(context, verdict, now):
        return hold(context, verdict, now)
    last = Verdict("Undecided", "Inconclusive", f"at maxDuration: {verdict.message}")
    choice = context.settings.on_inconclusive
    if choice == "Rollback" and not context.accepted.spec.rollback_policy.automatic:
        return hold(context, last, now)
    unknown = choice == "Rollback" and verdict.kind == "NoData"
    if unknown or (choice == "Promote" and not may_promote):
        choice = "Withdraw"
    match choice:
        case "Rollback":
            bad = Verdict("Bad", "Inconclusive", last.message)
            # Nothing shows that stable serves better: without a rejection it keeps its share.
            rolled_back = roll_back_on_evidence(context, bad, now, relief=False)
            return rolled_back or waiting(context)
        case "Withdraw":
            return withdraw(context, last, now)
        case "Promote":
            unapproved = needs_approval(context, context.ladder[-1])
            if unapproved is not None:
                return hold(context, unapproved, now)
            return promote(context, f"onInconclusive: Promote; {verdict.message}", now)
    return hold(context, last, now)


def _just_lost(context: RolloutContext, verdict: Verdict, now: float) -> bool:
    """Whether the verdict is that a signal has no data, and that only since now."""
    if verdict.kind != "NoData" or not verdict.signal:
        return False
    lost = (s for s in context.status.signals if s.name == verdict.signal)
    return all(s.verdict != "NoData" or age(s.at, now) < LOST for s in lost)


def no_data(context: RolloutContext, sample: NoSample | None, now: float) -> Decision:
    """Missing data holds; missing longer than maxDuration it withdraws. It never decides more.

    That nobody sends requests is no loss of metrics: it holds, however long it lasts.
    """
    reason = sample.reason if sample else "MetricsLost"
    verdict = Verdict("NoData", reason, sample.message if sample else "not asked yet")
    available = context.status.condition("MetricsAvailable")
    since = available.last_transition_time if available and available.status == "False" else ""
    late = bool(since) and age(since, now) > context.settings.max_duration
    if context.candidate.weight and late and reason != "NoTraffic":
        return withdraw(context, verdict, now)
    return hold(context, verdict, now)


def not_accepted(context: RolloutContext, verdict: Verdict, now: float) -> Decision:
    """The gateway does not take the route: after a while the one that it took is put back."""
    shifted = context.status.condition("TrafficShifted")
    since = context.candidate.since
    if shifted is not None and shifted.status != "True":
        since = max(since, shifted.last_transition_time)
    if age(since, now) < SETTLING:
        return waiting(context)
    if age(since, now) < ROUTE_PATIENCE:
        return hold(context, verdict, now)
    return withdraw(context, Verdict("NoData", verdict.reason, verdict.message), now)


def route_is_gone(seen: Observed, now: float) -> Decision | None:
    """Somebody deleted the route of an exposed candidate. It is made again with all traffic at the
    stable revision, not with the step's weights: nobody has measured what happened meanwhile.
    """
    context = rollout_context(seen)
    if context is None or context.candidate.weight == 0 or seen.status.stable is None:
        return None
    if seen.traffic.route.exists:
        return None
    why = "the route was deleted; it comes back with all traffic at the stable revision"
    return withdraw(context, Verdict("NoData", "RouteGone", why), now)
