"""Gate 2: can we serve it within the constraints?

What is known before any pod runs is asked first: cost follows from the pods' requests and the
price book. Then, where it is declared, the load test.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import merit
from merit.api.names import job_name, run_id
from merit.api.status import Candidate
from merit.evidence.cost import Unpriced
from merit.policy.decision import Decision, Note, Record
from merit.policy.feasibility.demand import Demand
from merit.policy.feasibility.load_run import demand_of, load_run
from merit.policy.feasibility.load_test import again_or_held, put_under_load
from merit.policy.feasibility.sizing import plural
from merit.policy.gates.passed import passed, passed_before
from merit.policy.gates.run import candidate_spec
from merit.policy.observed import Accepted, Observed
from merit.policy.remember import decided, reject, told
from merit.policy.times import stamp
from merit.policy.verdict import Verdict

BRIEF = 600  # characters of a verdict in the ledger and in the list of decisions
_CENT = Decimal("0.01")


def check_feasibility(seen: Observed, now: float) -> Decision | None:
    """Pass the candidate on, or reject it with what would make it feasible."""
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None or accepted is None or candidate.stage != "Feasibility":
        return None
    if candidate.superseded:
        return None
    before = passed_before(seen.status, accepted.identity, "Feasibility")
    if before is not None:
        return _onward(seen, candidate, accepted, before, None, now)
    demand = demand_of(accepted.spec, seen.tuning.prices)
    static = static_verdict(demand)
    if static.kind != "Good" or isinstance(demand, Unpriced):
        return _static(seen, candidate, accepted, static, now)
    run = load_run(seen)
    if run is None:
        record = _record(seen, candidate, accepted, static, now)
        return _onward(seen, candidate, accepted, static, record, now)
    if candidate.held:
        return Decision(seen.status)  # nothing new would come of it: somebody must act
    if not seen.tuning.load_image:
        no_generator = "the operator's configuration names no image of the load generator"
        lacking = Verdict("Undecided", "NoLoadGenerator", no_generator)
        return Decision(told(seen.status, "Feasibility", lacking, now))
    answer = put_under_load(seen, run, demand, now)
    if isinstance(answer, Decision):
        return answer
    verdict, proof = answer
    if verdict.kind == "Bad":
        proof = proof or _record(seen, candidate, accepted, verdict, now)
        return _rejected(seen, candidate, accepted, verdict, proof, now)
    if verdict.kind == "Good":
        return _onward(seen, candidate, accepted, verdict, proof, now)
    return again_or_held(seen, run, verdict, proof, now)


def static_verdict(demand: Demand | Unpriced) -> Verdict:
    """The smallest number of replicas against the cost bounds."""
    if isinstance(demand, Unpriced):
        return Verdict("Undecided", demand.reason, demand.message)
    least = demand.replicas_min
    pods = plural(least, "replica")
    if demand.price is None:
        return Verdict("Good", "StaticOnly", f"{pods}; no cost bound; no load was run")
    hourly = demand.hourly(least)
    said = f"{_up(hourly)} {demand.currency}/h for {pods}"
    if demand.per_hour is not None and hourly > demand.per_hour:
        fits = (demand.per_hour / least).quantize(Decimal("0.0001"), ROUND_FLOOR)
        return Verdict(
            "Bad",
            "TooExpensive",
            f"{said} > {demand.per_hour}; at least one of these is needed: "
            f"cost.perHour {_up(hourly)}, pods at <= {fits} {demand.currency}/h each",
        )
    if demand.per1k is not None and demand.per_thousand(least) > demand.per1k:
        share = demand.per_thousand(least).quantize(Decimal("0.0001"), ROUND_CEILING)
        return Verdict(
            "Bad",
            "TooExpensive",
            f"{share} {demand.currency} per 1,000 predictions at {demand.rps:f} rps > "
            f"{demand.per1k}; at least one of these is needed: cost.per1kPredictions {share}, "
            "cheaper pods",
        )
    bound = f" <= {demand.per_hour}" if demand.per_hour is not None else ""
    return Verdict("Good", "StaticOnly", f"{said}{bound}; no load was run")


def _up(value: Decimal) -> str:
    return str(value.quantize(_CENT, ROUND_CEILING))


def _static(
    seen: Observed, candidate: Candidate, accepted: Accepted, verdict: Verdict, now: float
) -> Decision:
    if verdict.kind != "Bad":
        return Decision(told(seen.status, "Feasibility", verdict, now))
    record = _record(seen, candidate, accepted, verdict, now)
    return _rejected(seen, candidate, accepted, verdict, record, now)


def _rejected(
    seen: Observed,
    candidate: Candidate,
    accepted: Accepted,
    verdict: Verdict,
    record: Record,
    now: float,
) -> Decision:
    why = f"version {candidate.version}: {verdict.message}"
    status = told(seen.status, "Feasibility", verdict, now, record=record.name)
    brief = Verdict(verdict.kind, verdict.reason, verdict.message[:BRIEF])
    status = reject(status, accepted.identity, "Feasibility", brief, candidate.version, now)
    return Decision(
        decided(status, f"{candidate.short} rejected as infeasible", why[:BRIEF], now),
        actions=(record,),
        notes=(Note("Infeasible", why[:BRIEF], warning=True),),
        decisive_status=True,
    )


def _onward(
    seen: Observed,
    candidate: Candidate,
    accepted: Accepted,
    verdict: Verdict,
    record: Record | None,
    now: float,
) -> Decision:
    """On to the rollout, with as many pods as the load was found to need."""
    facts = record.content if record else {}
    needed = int(facts.get("replicas", "0"))
    onward = candidate.model_copy(
        update={
            "stage": "Rollout",
            "since": stamp(now),
            "failures": 0,
            "replicas": needed,
            "capacity": facts.get("capacity", ""),
        }
    )
    name = record.name if record else ""
    status = told(seen.status, "Feasibility", verdict, now, record=name)
    status = status.model_copy(update={"candidate": onward, "analysis": None})
    if record is not None:
        status = passed(status, accepted.identity, "Feasibility", name, now)
    return Decision(
        decided(status, f"{candidate.short} is feasible", verdict.message[:BRIEF], now),
        actions=(record,) if record else (),
        notes=(Note(verdict.reason, f"version {candidate.version}: {verdict.message[:BRIEF]}"),),
        decisive_status=True,
    )


def _record(
    seen: Observed, candidate: Candidate, accepted: Accepted, verdict: Verdict, now: float
) -> Record:
    """The record of a check that needed no Job."""
    policy = accepted.identity.feasibility
    run = run_id(seen.uid, candidate.revision, policy, candidate.run)
    name = job_name(seen.name, candidate.short, "feasibility", run)
    return Record(
        name=name,
        job="",
        content={
            "stage": "Feasibility",
            "revision": candidate.revision,
            "version": candidate.version,
            "policy": policy,
            "attempt": str(candidate.attempt),
            "verdict": verdict.kind,
            "reason": verdict.reason,
            "message": verdict.message,
            "merit": merit.__version__,
            "at": stamp(now),
        },
    )
