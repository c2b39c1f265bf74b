"""Situations that the rules of `decide` are for: something that fails, is asked for, or is lost."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

from merit.api.live_status import Alarm, Comparison
from merit.api.spec import Pin
from merit.api.status import BypassSeen, FlowStage, Passed, Stage
from merit.api.validation import Invalid
from merit.policy.decide import with_all_evidence
from merit.policy.gates.job_run import expected_job
from merit.policy.rollout.judging import baseline_state
from merit.policy.state.context import rollout_context
from merit.policy.state.measurements import Pair
from merit.policy.state.observed import JobRun, Observed, Route
from merit.policy.state.prices import PriceBook
from merit.policy.state.times import stamp
from merit.stats.counts import ArmPair, Counts, Sample
from merit.stats.histogram import Histogram
from tests.policy.builders import (
    NOW,
    canary,
    counted,
    observed,
    spec,
    with_parts,
    with_pods,
    with_predecessor,
    with_status,
    with_token,
)

INVALID = Invalid("spec.goal", "is missing", "state it")
NEWER = spec(model__version="4")
OTHER_BARS = spec(constraints__errors={"max": "2%"})
PRICED = spec(
    serving__template__spec__containers__0__resources={"requests": {"cpu": "1", "memory": "2Gi"}}
)
BOOK = PriceBook("USD", cpu_hour=Decimal("0.04"), memory_gib_hour=Decimal("0.004"))
LEAKS: dict[str, Any] = {"signals": [{"name": "leaks", "query": "sum(leaks)", "max": "0"}]}
SCORE: dict[str, Any] = {
    "drift": [{"name": "score", "of": "Predictions", "histogram": "model_score"}]
}


def failing_pods(seen: Observed, crashed: int) -> Observed:
    assert seen.status.candidate is not None
    short = seen.status.candidate.short
    return with_pods(seen, short, ready=8 - crashed, crashed=crashed, restarts=2 * crashed)


def without_pods(seen: Observed, **pods: Any) -> Observed:
    assert seen.status.candidate is not None
    return with_pods(seen, seen.status.candidate.short, ready=0, **pods)


def failing(raw: dict[str, Any] | None = None, failed: int = 100) -> Observed:
    seen = canary(raw)
    return with_parts(seen, sample=counted(seen, failed=failed))


def failing_again() -> Observed:
    """An incident has excused it once."""
    seen = canary(excused=stamp(NOW - 60))
    return with_parts(seen, sample=counted(seen, failed=100))


def both_failing() -> Observed:
    """The candidate is worse than stable, and stable fails as well in the same four samples."""
    seen = canary()
    pair = ArmPair(*2 * (Counts(500, 400), Counts(4500, 2000)))
    for at in (NOW - 45, NOW - 30, NOW - 15):
        sample = Sample(at, at - 15, {"errors": pair})
        rollout = with_all_evidence(with_parts(seen, sample=sample)).evidence.rollout
        assert rollout is not None
        seen = with_status(seen, analysis=rollout.state)
    return with_parts(seen, sample=Sample(NOW, NOW - 15, {"errors": pair}))


def blamed(*, has_left: bool = True, refused: str = "") -> Observed:
    """A candidate that was bad, has been withdrawn for it, and waits for the others."""
    seen = withdrawn("ErrorsWorse", "Bad")
    assert seen.status.candidate is not None and seen.status.stable is not None
    shorts = {seen.status.stable.short: 90, seen.status.candidate.short: 10}
    weights = {seen.status.stable.short: 100} if has_left else shorts
    route = replace(seen.traffic.route, weights=weights)
    return replace(seen, traffic=replace(seen.traffic, route=route, refused=refused))


def leaking(response: str = "Rollback") -> dict[str, Any]:
    mode = {"name": "leaks", "signal": "signals/leaks", "response": response}
    return spec(monitoring=LEAKS, failureModes__0=mode)


def leaks(seen: Observed, *values: float) -> Observed:
    readings = tuple((NOW - 30 * i, v) for i, v in reversed(list(enumerate(reversed(values)))))
    return with_parts(seen, readings={"signals/leaks": readings})


def shifted(response: str) -> Observed:
    mode = {"name": "shift", "signal": "drift/score", "response": response}
    edges = (0.25, 0.5, 0.75, math.inf)
    mine, theirs = (Histogram(edges, n) for n in ((9e3, 1e3, 1e3, 9e3), (5e3, 5e3, 5e3, 5e3)))
    raw = spec(monitoring=SCORE, failureModes__0=mode)
    return with_parts(canary(raw), pairs={"score": Pair(mine, theirs, 9.0)})


def measured_by(source: str) -> Observed:
    """A candidate whose evidence in status was measured by that source."""
    seen = canary()
    context = rollout_context(replace(seen, tuning=replace(seen.tuning, view=source)))
    assert context is not None
    return with_status(seen, analysis=baseline_state(context, NOW - 30))


def looping(seen: Observed) -> Observed:
    """The pods of what serves end again and again."""
    assert seen.status.stable is not None
    return with_pods(seen, seen.status.stable.short, ready=0, looping=2, detail="crash loop")


def compared(*, signal: str = "errors", ready: int = 2, alarm: bool = True) -> Observed:
    """What serves beside its predecessor."""
    seen = with_predecessor(observed(), ready=ready)
    before = seen.status.promoted[0]
    comparison = Comparison(
        revision=before.revision, short=before.short, policy=before.policy, version="1",
        promoted_at=before.at, began=stamp(NOW - 60), since=stamp(NOW - 30), floor=2,
    )  # fmt: skip
    raised = Alarm(signal=signal, reason="ErrorsBreached", message="m", at=stamp(NOW - 60))
    return with_status(seen, comparison=comparison, alarm=raised if alarm else None)


def failing_beside_its_predecessor() -> Observed:
    """Both have had traffic, and what serves fails in the same minutes."""
    seen = compared()
    assert seen.status.comparison is not None
    update = {"stage": "Comparing", "weight": 20, "since": stamp(NOW - 300)}
    comparison = seen.status.comparison.model_copy(update=update)
    return with_parts(
        with_status(seen, comparison=comparison), comparison=counted(seen, failed=100)
    )


def forgotten(**parts: Any) -> Observed:
    """An object whose status is lost."""
    return with_parts(with_status(observed(), stable=None), seen_before=False, **parts)


def pinned(*, policy: str = "") -> Observed:
    """`spec.rollback` says that what is declared was rolled back; status knows nothing of it."""
    seen = forgotten(route=Route())
    identity = seen.declared.identity
    assert identity is not None
    pin = Pin(
        from_revision=identity.revision, from_stage="Rollout",
        from_policy=policy or identity.stage_policy("Rollout"), to_revision="h1:" + "2" * 64,
        reason="ErrorsWorse", message="m", at=stamp(NOW - 600),
    )  # fmt: skip
    return with_parts(seen, value=pin)


def short_of(seen: Observed) -> str:
    assert seen.declared.identity is not None
    return seen.declared.identity.short


def asking(seen: Observed, verb: str, value: str = "") -> Observed:
    return with_token(seen, verb, value or f"{short_of(seen)}-1")


def bypassing(hours: float = 1.0, *stages: str) -> dict[str, Any]:
    expires = stamp(NOW + 3600 * hours)
    return {"stages": list(stages or ("Evaluation",)), "reason": "INC-1", "expires": expires}


def in_force(seen: Observed, *stages: str) -> Observed:
    """A bypass that was seen before."""
    declared = bypassing(1.0, *stages)
    entry = BypassSeen.model_validate({**declared, "since": stamp(NOW - 60), "state": "InForce"})
    return with_status(seen, bypass=entry)


def passed(seen: Observed, stage: Stage) -> Observed:
    identity = seen.declared.identity
    assert identity is not None
    entry = Passed.model_validate(
        {
            "revision": identity.revision,
            "stage": stage,
            "policy": identity.stage_policy(stage),
            "record": "r",
            "at": stamp(NOW - 60),
        }
    )
    return with_status(seen, passed=(entry,))


def running(seen: Observed) -> Observed:
    """The gate's Job runs."""
    return with_parts(seen, awaited=JobRun(expected_job(seen) or "", exists=True))


def starting(**parts: Any) -> Observed:
    """A candidate past its gates, with its pods up, before its first step."""
    seen = canary(weight=0, step=0, rollout_since="")
    return with_parts(seen, **parts)


def withdrawn(reason: str, verdict: Literal["Bad", "NoData"] = "NoData") -> Observed:
    seen = canary(stage="Withdrawn", weight=0, step=0)
    entry = FlowStage(stage="Rollout", verdict=verdict, reason=reason)
    return with_status(seen, flow=(entry,))


def nothing_serves(seen: Observed) -> Observed:
    return with_status(seen, stable=None)
