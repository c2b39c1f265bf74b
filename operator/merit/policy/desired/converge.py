"""One pass from what status intends to actions, in the order of safety."""

from __future__ import annotations

from dataclasses import replace

from merit.api.status import Status
from merit.policy.desired.leaving import keeps_pods
from merit.policy.desired.ledger import ledger_content
from merit.policy.desired.pin import pin_action
from merit.policy.desired.plans import missing_pods
from merit.policy.desired.records import prune
from merit.policy.desired.traffic import before_pods, diversions, stray, traffic_action
from merit.policy.gates.feasibility.load_gate import load_test_given_up
from merit.policy.gates.job_run import expected_job
from merit.policy.state.decision import Action, RemoveJob, RemoveRevision, WriteLedger
from merit.policy.state.observed import Observed
from merit.policy.state.route_kind import by_pods


def converge(seen: Observed, status: Status, now: float) -> tuple[Action, ...]:
    """The actions of one pass, at most one of them decisive: traffic, then the pin, then cleanup.

    Traffic that goes back comes before everything: nothing may delay a rollback. The ledger comes
    before all that could not be done again, or would be done anew, if status were lost.
    """
    pods, traffic = missing_pods(seen, status, now), traffic_action(seen, status, now)
    diverted, ledger = diversions(seen, status), _ledger(seen, status)
    if not by_pods(seen):  # otherwise the Service of a withdrawn candidate would be put back
        misrouted = stray(seen, status)
        pods = [plan for plan in pods if plan.short not in misrouted]
    # By pod count a rejected revision loses its pods along with its share.
    rejected_pods = _unused_revisions(seen, status, now, set()) if by_pods(seen) else []
    if seen.traffic.refused and traffic is not None:
        return (*diverted, *rejected_pods, traffic, *pods, *ledger)
    if traffic is not None and before_pods(seen, traffic):
        return (traffic, *rejected_pods, *pods, *ledger)
    if traffic is not None:
        return (*pods, *ledger, traffic)
    pin = pin_action(seen, status, now)
    if pin is not None:
        return (*diverted, *rejected_pods, *pods, *ledger, pin)
    return (*diverted, *pods, *ledger, *_cleanup(seen, status, now))


def _ledger(seen: Observed, status: Status) -> list[WriteLedger]:
    if seen.recorded.ledger_in_sync or (seen.traffic.conflict and not seen.traffic.route.foreign):
        return []
    return [WriteLedger(ledger_content(status))]


def _cleanup(seen: Observed, status: Status, now: float) -> list[Action]:
    """Removal of revisions, Jobs and records that nothing refers to any more."""
    routed = set(seen.traffic.route.weights) | seen.traffic.route.announced
    if by_pods(seen) and len(routed) > 1:
        routed = set()  # one Service sends to the pods of all: a share goes with its pods
    kept = {expected_job(replace(seen, status=status)), *_jobs_with_useful_logs(seen, status)}
    return [
        *_unused_revisions(seen, status, now, routed),
        *(RemoveJob(name) for name in seen.jobs.names if name not in kept),
        *prune(seen, status),
    ]


def _unused_revisions(
    seen: Observed, status: Status, now: float, routed: set[str]
) -> list[RemoveRevision]:
    """Revisions that nothing refers to, whatever is left of them; `routed`: the route does."""
    named = (status.stable, status.candidate, status.comparison)
    kept = {revision.short for revision in named if revision is not None} | routed
    if status.candidate is not None and load_test_given_up(status.candidate):
        kept.discard(status.candidate.short)  # its pods would only cost
    kept |= {leaving.short for leaving in status.leaving if keeps_pods(seen, leaving, now)}
    return [
        RemoveRevision(short)
        for short, pods in sorted(seen.pods.items())
        if pods.remains and short not in kept
    ]


def _jobs_with_useful_logs(seen: Observed, status: Status) -> set[str]:
    """A training's Job, and of each gate the last that did not pass: the record lacks their logs.

    They go when something newer is declared.
    """
    not_passed = {s.record for s in status.flow if s.verdict != "Good"} & seen.jobs.ended
    return not_passed | ({status.retrain.job} if status.retrain else set())
