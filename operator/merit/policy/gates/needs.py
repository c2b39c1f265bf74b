"""What the two gates need of the cluster: which Job is waited for, which pods are brought up."""

from __future__ import annotations

from dataclasses import replace

from merit.api.status import Candidate, Status
from merit.evidence.cost import Unpriced
from merit.policy.evaluation import gate as evaluation
from merit.policy.feasibility.load_run import demand_of, load_run
from merit.policy.gates.passed import passed_before
from merit.policy.observed import Observed


def expected_job(seen: Observed) -> str | None:
    """The name of the Job that this object waits for now, or is held at."""
    run = load_run(seen)
    return run.job if run is not None else evaluation.expected_job(seen)


def given_up(candidate: Candidate) -> bool:
    """Whether the load test has ended without a verdict, and none follows by itself."""
    return candidate.stage == "Feasibility" and candidate.held


def brought_up(seen: Observed, status: Status) -> bool:
    """Whether the candidate is to have pods: past its gates, or to be put under load.

    Nothing is scheduled for a load test whose costs are known to be too high.
    """
    candidate = status.candidate
    if candidate is None or candidate.stage == "Evaluation":
        return False
    if candidate.stage != "Feasibility":
        return True
    run = load_run(replace(seen, status=status))
    if run is None or given_up(candidate) or candidate.superseded or not seen.tuning.load_image:
        return False
    if passed_before(status, run.accepted.identity, "Feasibility") is not None:
        return False
    demand = demand_of(run.accepted.spec, seen.tuning.prices)
    return not isinstance(demand, Unpriced) and demand.replicas_min <= demand.most
