"""Gate 2: can it be served within its constraints?

Costs follow from the pods' requests and the price book, so they are judged before any pod runs.
Then, where it is declared, comes the load test.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from merit.api.status import Candidate
from merit.policy.gates.ending import FEASIBILITY, end_gate, stage_record
from merit.policy.gates.feasibility.demand import Demand, demand_of
from merit.policy.gates.feasibility.load_gate import put_under_load
from merit.policy.gates.feasibility.sizing import plural
from merit.policy.gates.job_run import gate_run
from merit.policy.gates.retry_policy import passed_before
from merit.policy.state.decision import Decision, Record
from merit.policy.state.observed import Observed
from merit.policy.state.prices import Unpriced
from merit.policy.state.times import stamp
from merit.policy.state.transitions import with_stage
from merit.policy.state.verdict import Verdict

_CENT = Decimal("0.01")
_HUNDREDTH_OF_A_CENT = Decimal("0.0001")


def check_feasibility(seen: Observed, now: float) -> Decision | None:
    """Pass the candidate on, or reject it with what would make it feasible."""
    candidate, accepted = seen.status.candidate, seen.record(seen.status.candidate)
    if candidate is None or accepted is None or candidate.stage != "Feasibility":
        return None
    if candidate.superseded:
        return None
    before = passed_before(seen.status, accepted, "Feasibility")
    if before is not None:
        return _end(seen, candidate, before, None, now)
    demand = demand_of(accepted.spec, seen.tuning.prices)
    verdict, record = static_verdict(demand), None
    if isinstance(demand, Unpriced):
        return Decision(with_stage(seen.status, "Feasibility", verdict, now))
    run = gate_run(seen)
    if verdict.kind == "Good" and run is not None:
        if candidate.held:
            return Decision(seen.status)  # another pass would find the same: a person has to act
        if not seen.tuning.load_image:
            why = "the operator's configuration names no image of the load generator"
            lacking = Verdict("Undecided", "NoLoadGenerator", why)
            return Decision(with_stage(seen.status, "Feasibility", lacking, now))
        answer = put_under_load(seen, run, demand, now)
        if isinstance(answer, Decision):
            return answer
        verdict, record = answer
    if record is None:
        record = stage_record(seen, candidate, accepted.identity, "Feasibility", verdict, now)
    return _end(seen, candidate, verdict, record, now)


def _end(
    seen: Observed, candidate: Candidate, verdict: Verdict, record: Record | None, now: float
) -> Decision:
    """A candidate that passes goes on to the rollout, with as many pods as the load needs."""
    facts = record.content if record else {}
    onward = candidate.model_copy(
        update={
            "stage": "Rollout",
            "since": stamp(now),
            "failures": 0,
            "replicas": int(facts.get("replicas", "0")),
            "capacity": facts.get("capacity", ""),
        }
    )
    return end_gate(FEASIBILITY, seen, verdict, record, onward, now)


def static_verdict(demand: Demand | Unpriced) -> Verdict:
    """The cost of the smallest number of replicas against its bounds."""
    if isinstance(demand, Unpriced):
        return Verdict("Undecided", demand.reason, demand.message)
    least = demand.replicas_min
    pods = plural(least, "replica")
    if demand.price is None:
        return Verdict("Good", "StaticOnly", f"{pods}; no cost bound; no load was run")
    hourly = demand.hourly(least)
    cost = f"{_cents(hourly)} {demand.currency}/h for {pods}"
    if demand.per_hour is not None and hourly > demand.per_hour:
        fits = (demand.per_hour / least).quantize(_HUNDREDTH_OF_A_CENT, ROUND_FLOOR)
        return Verdict(
            "Bad",
            "TooExpensive",
            f"{cost} > {demand.per_hour}; at least one of these is needed: "
            f"cost.perHour {_cents(hourly)}, pods at <= {fits} {demand.currency}/h each",
        )
    if demand.per1k is not None and demand.per_thousand(least) > demand.per1k:
        share = demand.per_thousand(least).quantize(_HUNDREDTH_OF_A_CENT, ROUND_CEILING)
        return Verdict(
            "Bad",
            "TooExpensive",
            f"{share} {demand.currency} per 1,000 predictions at {demand.rps:f} rps > "
            f"{demand.per1k}; at least one of these is needed: cost.per1kPredictions {share}, "
            "cheaper pods",
        )
    bound = f" <= {demand.per_hour}" if demand.per_hour is not None else ""
    return Verdict("Good", "StaticOnly", f"{cost}{bound}; no load was run")


def _cents(value: Decimal) -> str:
    return str(value.quantize(_CENT, ROUND_CEILING))
