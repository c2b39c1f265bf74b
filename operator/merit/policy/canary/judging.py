"""The exposed candidate under its evidence: Bad takes the traffic back before all else."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from merit.evidence.analysis import Analysis
from merit.evidence.counts import Sample
from merit.policy.canary.case import Case, analysis_of, case_of, terms_of
from merit.policy.canary.measured import stand, take_back
from merit.policy.decision import Decision
from merit.policy.observed import Observed
from merit.policy.remember import decided
from merit.policy.responses import effects
from merit.policy.times import seconds
from merit.policy.verdict import Verdict


def weighed(seen: Observed) -> Observed:
    """The view with the newest look turned into evidence: once a pass, for every rule."""
    case = case_of(seen)
    if case is None or case.candidate.weight == 0 or not isinstance(seen.sample, Sample):
        return seen
    analysis = analysis_of(case)
    return replace(seen, evidence=analysis) if consume(case, analysis) else seen


def judge_evidence(seen: Observed, now: float) -> Decision | None:
    """The exposed candidate under its evidence: Bad takes the traffic back before all else."""
    case, analysis = case_of(seen), seen.evidence
    if case is None or analysis is None:
        return None
    worse = analysis.worse()
    if not worse.bad:
        return None
    signal = "latency" if worse.reason.startswith("Latency") else "errors"
    verdict = Verdict("Bad", worse.reason, worse.message)
    if effects(case.accepted.spec, signal, "candidate").takes_back:
        return take_back(case, verdict, now)
    return stand(case, verdict, now)


def measured_anew(seen: Observed, now: float) -> Decision | None:
    """Evidence by another scrape interval, or another source, is dropped: it begins anew."""
    case, state = case_of(seen), seen.status.analysis
    if case is None or state is None:
        return None
    other = ""
    with suppress(KeyError, ValueError):  # of another version of Merit: it begins anew unasked
        other = terms_of(case).measured_otherwise(state)
    if not other:
        return None
    status = seen.status.model_copy(update={"analysis": None})
    what = f"evidence about {case.candidate.short} begins anew"
    return Decision(decided(status, what, other, now), decisive_status=True)


def consume(case: Case, analysis: Analysis) -> bool:
    """Turn the newest sample into evidence; False if it holds nothing new.

    Latency counts from the first sample that began after the warm-up.
    """
    sample = case.seen.sample
    if not isinstance(sample, Sample):
        return False
    last = analysis.consumed_until
    if last is not None and sample.at <= last:
        return False  # a first look after a long gap is new: it sets the baseline anew
    warm = seconds(case.candidate.rollout_since) + case.seen.tuning.constants.warmup
    analysis.observe(
        sample,
        weight_changed=last is not None and seconds(case.candidate.since) >= last,
        warming=sample.since is None or sample.since < warm,
    )
    return True


def remembering(seen: Observed, analysis: Analysis | None) -> Observed:
    """The view with the evidence as it stands after the newest sample."""
    state = analysis.to_status() if analysis else None
    return replace(seen, status=seen.status.model_copy(update={"analysis": state}))
