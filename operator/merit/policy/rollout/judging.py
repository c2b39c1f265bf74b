"""The evidence about an exposed candidate, and the rules that take its traffic back for it."""

from __future__ import annotations

from dataclasses import replace

from merit.api.evidence_state import AnalysisState
from merit.policy.outcomes.blame import roll_back_on_evidence, stable_is_healthy
from merit.policy.outcomes.roll_back import keep_exposed, with_evidence
from merit.policy.signals.drift import drift_signals
from merit.policy.state.context import RolloutContext, analysis_of, rollout_context, terms_of
from merit.policy.state.counted_signals import bars
from merit.policy.state.decision import Decision, decisive, dropped
from merit.policy.state.evidence import RolloutEvidence
from merit.policy.state.observed import Observed
from merit.policy.state.responses import effects, gravity
from merit.policy.state.times import seconds
from merit.policy.state.verdict import Verdict
from merit.stats.analysis import Analysis
from merit.stats.counts import Sample


def with_rollout_evidence(seen: Observed) -> Observed:
    """The view with the newest sample turned into evidence; unchanged without a new sample.

    Latency counts from the first sample that began after the warm-up.
    """
    context, sample = rollout_context(seen), seen.measurements.sample
    if context is None or context.candidate.weight == 0 or not isinstance(sample, Sample):
        return seen
    (analysis, unreadable), candidate = analysis_of(context), context.candidate
    last = analysis.consumed_until
    if last is not None and sample.at <= last:
        return seen  # a first sample after a long gap is new: it sets the baseline anew
    warm = seconds(candidate.rollout_since) + seen.tuning.constants.warmup
    analysis.observe(
        sample,
        weight_changed=last is not None and seconds(candidate.since) >= last,
        warming=sample.since is None or sample.since < warm,
    )
    evidence = RolloutEvidence(
        bad=analysis.bad_signals(),
        next_step=analysis.proven(context.next_step),
        seconds_idle=analysis.flow.seconds_idle,
        scrapes=analysis.flow.scrapes,
        state=_state(analysis),
        unreadable=unreadable,
    )
    return replace(seen, evidence=replace(seen.evidence, rollout=evidence))


def evidence_state(context: RolloutContext) -> AnalysisState:
    """What status keeps of the evidence, with the newest sample if it is new."""
    newest = context.seen.evidence.rollout
    return newest.state if newest is not None else _state(analysis_of(context)[0])


def baseline_state(context: RolloutContext, at: float) -> AnalysisState:
    """No evidence yet, and counts from `at` (Unix seconds of Prometheus) on."""
    analysis = Analysis(bars(context.accepted.spec), terms_of(context))
    analysis.observe(Sample(at=at, since=None, signals={}), weight_changed=False, warming=True)
    return _state(analysis)


def _state(analysis: Analysis) -> AnalysisState:
    return AnalysisState.model_validate(analysis.to_status())


def judge_evidence(seen: Observed, now: float) -> Decision | None:
    """A bad candidate: of all its bad signals the one with the gravest response decides."""
    context, evidence = rollout_context(seen), seen.evidence.rollout
    if context is None or evidence is None or not evidence.bad:
        return None
    spec = context.accepted.spec
    worst = min(evidence.bad, key=lambda bad: gravity(spec, bad.signal))
    verdict = Verdict("Bad", worst.reason, worst.message, worst.signal)
    if effects(spec, worst.signal, "candidate").rolls_back:
        relief = stable_is_healthy(context, worst.signal)
        return roll_back_on_evidence(context, verdict, now, relief=relief)
    return keep_exposed(context, verdict, now)


def judge_drift(seen: Observed, now: float) -> Decision | None:
    """A candidate that predicts otherwise than stable, where its failure mode says Rollback."""
    context = rollout_context(seen)
    if context is None or context.candidate.weight == 0:
        return None
    spec = context.accepted.spec
    for signal in drift_signals(seen, seen.status, spec, canary=True):
        if signal.verdict == "Bad" and effects(spec, signal.name, "candidate").rolls_back:
            why = f"{signal.name}: {signal.value}"
            verdict = Verdict("Bad", "PredictionsShifted", why, signal.name)
            return roll_back_on_evidence(context, verdict, now, relief=True)
    return None


def restart_evidence(seen: Observed, now: float) -> Decision | None:
    """Evidence by another scrape interval, or another source, is dropped: it begins anew.

    Under other steps that for the next one does; that against the candidate goes on.
    """
    context, state = rollout_context(seen), seen.status.analysis
    if context is None or state is None:
        return None
    terms, about = terms_of(context), f"evidence about {context.candidate.short}"
    why = terms.incompatible(state.model_dump(include={"scrape", "source"}))
    if why:
        status = seen.status.model_copy(update={"analysis": None})
        return decisive(status, f"{about} begins anew", why, now)
    evidence = seen.evidence.rollout
    if evidence is not None and evidence.unreadable:
        return dropped(with_evidence(seen), ("analysis",), evidence.unreadable, now)
    if state.proof_of in ("", terms.proof_of):
        return None
    status = seen.status.model_copy(update={"analysis": evidence_state(context)})
    steps = ", ".join(f"{weight}%" for weight in context.ladder)
    why = f"the steps were edited, or the blast radius: {steps}"
    return decisive(status, f"{about} begins anew for its next step", why, now)
