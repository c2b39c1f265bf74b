"""Gate 2: can we serve it within the constraints? The static check: prices and replicas.

Cost follows from the pods' requests and the price book before anything is scheduled.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from merit.api.defaults import effective
from merit.api.status import Candidate
from merit.evidence.cost import Unpriced, unit_price
from merit.policy.decision import Decision, Note
from merit.policy.evaluation import candidate_spec
from merit.policy.observed import Accepted, Observed
from merit.policy.remember import decided, reject, told
from merit.policy.times import stamp
from merit.policy.verdict import Verdict

_CENT = Decimal("0.01")


def check_feasibility(seen: Observed, now: float) -> Decision | None:
    """Pass the candidate on, or reject it with what would make it feasible."""
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None or accepted is None or candidate.stage != "Feasibility":
        return None
    verdict = static_verdict(seen, accepted)
    status = told(seen.status, "Feasibility", verdict, now)
    if verdict.kind == "Bad":
        why = f"version {candidate.version}: {verdict.message}"
        status = reject(status, accepted.identity, "Feasibility", verdict, candidate.version, now)
        return Decision(
            decided(status, f"{candidate.short} rejected as infeasible", why, now),
            notes=(Note("Infeasible", why, warning=True),),
            decisive_status=True,
        )
    if verdict.kind != "Good":
        return Decision(status)
    onward: Candidate = candidate.model_copy(update={"stage": "Rollout", "since": stamp(now)})
    return Decision(
        decided(
            status.model_copy(update={"candidate": onward, "analysis": None}),
            f"{candidate.short} is feasible",
            verdict.message,
            now,
        ),
        notes=(Note(verdict.reason, f"version {candidate.version}: {verdict.message}"),),
        decisive_status=True,
    )


def static_verdict(seen: Observed, accepted: Accepted) -> Verdict:
    """Cost of the smallest number of replicas against the declared bounds."""
    spec, known = accepted.spec, effective(accepted.spec)
    cost = spec.constraints.cost
    plural = "replica" if known.replicas_min == 1 else "replicas"
    if cost is None:
        return Verdict(
            "Good", "StaticOnly", f"{known.replicas_min} {plural}; no cost bound; no load was run"
        )
    book = seen.tuning.prices
    if book is None:
        return Verdict("Undecided", "NoPrice", "the operator's configuration has no price book")
    if book.currency != cost.currency:
        return Verdict(
            "Undecided", "NoPrice", f"the price book is in {book.currency}, not {cost.currency}"
        )
    price = unit_price(spec.serving.template, book)
    if isinstance(price, Unpriced):
        return Verdict("Undecided", price.reason, price.message)
    hourly = price * known.replicas_min
    said = f"{_money(hourly)}/h for {known.replicas_min} {plural}"
    if cost.per_hour is not None and hourly > cost.per_hour:
        fits = (cost.per_hour / known.replicas_min).quantize(Decimal("0.0001"))
        return Verdict(
            "Bad",
            "TooExpensive",
            f"{said} > {cost.per_hour}; any one of these makes it feasible: "
            f"constraints.cost.perHour {_money(hourly)}, or pods at <= {fits}/h each",
        )
    if cost.per1k_predictions is not None and known.rps:
        per1k = hourly / (Decimal("3.6") * Decimal(str(known.rps)))
        if per1k > cost.per1k_predictions:
            return Verdict(
                "Bad",
                "TooExpensive",
                f"{per1k:.4f} per 1,000 predictions at {known.rps:g} rps "
                f"> {cost.per1k_predictions}",
            )
    bound = f" <= {cost.per_hour}" if cost.per_hour is not None else ""
    return Verdict("Good", "StaticOnly", f"{said}{bound} {cost.currency}; no load was run")


def _money(value: Decimal) -> str:
    return str(value.quantize(_CENT, rounding=ROUND_CEILING))
