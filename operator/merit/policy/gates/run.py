"""The run of a gate's Job that an object is in: whose it is, and what binds its report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from merit.api.names import job_name, nonce, run_id
from merit.api.status import Candidate
from merit.policy.observed import Accepted, Observed


@dataclass(frozen=True, slots=True)
class Run:
    """The candidate, the spec that it is judged by, the Job's name, and the nonce it echoes."""

    candidate: Candidate
    accepted: Accepted
    job: str
    nonce: str


def run_at(seen: Observed, stage: Literal["Evaluation", "Feasibility"]) -> Run | None:
    """The run, if this object is at that gate. The gate's own policy tells one run from another."""
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None or accepted is None or candidate.stage != stage:
        return None
    policy = {
        "Evaluation": accepted.identity.evaluation,
        "Feasibility": accepted.identity.feasibility,
    }[stage]
    of = (seen.uid, candidate.revision, policy, candidate.run)
    name = job_name(seen.name, candidate.short, stage.lower(), run_id(*of))
    return Run(candidate, accepted, name, nonce(*of))


def candidate_spec(seen: Observed) -> Accepted | None:
    """The accepted spec that the candidate is judged by."""
    candidate = seen.status.candidate
    return seen.accepted.get(f"{candidate.short}-{candidate.policy}") if candidate else None
