"""Every default of the spec. The stored object itself stays as the user wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from merit.api.evaluation import Evaluation
from merit.api.quantity import format_duration, format_share
from merit.api.spec import Spec, may_scale

STEPS = (1, 5, 10, 25, 50)
CONFIDENCE = 0.99
BLAST_RADIUS = 0.01
MIN_DURATION = 300.0
MAX_DURATION = 3600.0
HOLDBACK_WEIGHT = 10
HOLDBACK_DURATION = 900.0
KEEP_REVISIONS = 3
KEEP_WARM = 86400.0
SCALE_AT_CPU = 80  # percent of the requested CPU above which the autoscaler adds pods
WITHIN = 168 * 3600.0
COOLDOWN = 3600.0
LOAD_DURATION = 60.0
HEADROOM = 0.2
OWN_COUNTS: Literal["Compare", "Ignore"] = "Compare"
PRICES = "default"
EVALUATION_DEADLINE = 3600  # seconds of one run
EVALUATION_BACK_OFF = 1  # pods that may fail before a run has failed
PROOF = "PointEstimate"
RETRAIN_COOLDOWN = 86400.0
RETRAINS_PER_WEEK = 3


@dataclass(frozen=True, slots=True)
class Effective:
    """A spec with its defaults. Times in seconds, shares as fractions, weights in percent.

    `evaluation`: format and file of the report, proof of a bar, deadline and back-off of its Job.
    `explicit_steps`: the user declared the steps, so none is left out if traffic is too low.
    `load_duration`, `headroom`, `own_counts`: of the load test; None without one. `prices`: name of
    the price book; empty without a bound on cost.
    """

    source: str
    evaluation: Mapping[str, Any]
    steps: tuple[int, ...]
    explicit_steps: bool
    approvals: tuple[int, ...]
    confidence: float
    blast_radius: float
    min_duration: float
    max_duration: float
    on_inconclusive: Literal["Hold", "Withdraw", "Promote", "Rollback"]
    holdback_weight: int
    holdback_duration: float
    replicas_min: int
    replicas_max: int
    autoscaled: bool
    rps: float | None
    keep_revisions: int
    keep_warm: float
    within: float
    cooldown: float
    load_duration: float | None
    headroom: float | None
    own_counts: Literal["Compare", "Ignore"] | None
    prices: str
    retrain_cooldown: float
    retrains: bool

    def to_status(self) -> dict[str, Any]:
        """For `status.effective`, in the units that users write."""
        shown: dict[str, Any] = {
            "source": self.source,
            "evaluation": dict(self.evaluation),
            "steps": list(self.steps),
            "approvals": list(self.approvals),
            "confidence": format_share(self.confidence),
            "blastRadius": format_share(self.blast_radius),
            "minDuration": format_duration(self.min_duration),
            "maxDuration": format_duration(self.max_duration),
            "onInconclusive": self.on_inconclusive,
            "holdback": {
                "weight": self.holdback_weight,
                "duration": format_duration(self.holdback_duration),
            },
            "replicas": {"min": self.replicas_min, "max": self.replicas_max}
            | ({"cpu": f"{SCALE_AT_CPU}%"} if self.autoscaled else {}),
            "keepRevisions": self.keep_revisions,
            "keepWarm": format_duration(self.keep_warm),
            "within": format_duration(self.within),
            "cooldown": format_duration(self.cooldown),
            "prices": self.prices,
        }
        if self.load_duration is not None and self.headroom is not None:
            shown["load"] = {
                "duration": format_duration(self.load_duration),
                "headroom": format_share(self.headroom),
                "ownCounts": self.own_counts,
            }
        if self.retrains:
            shown["retrain"] = {
                "cooldown": format_duration(self.retrain_cooldown),
                "perWeek": RETRAINS_PER_WEEK,
            }
        return {key: value for key, value in shown.items() if value != ""}


def effective(spec: Spec, *, source: str = "") -> Effective:
    """The spec with every default. `source`: the operator's default metrics source."""
    rollout, scale = spec.rollout, spec.constraints.scale
    holdback = rollout.holdback
    replicas = scale.replicas if scale else None
    load = spec.feasibility.load if spec.feasibility else None
    price_book = spec.feasibility.prices if spec.feasibility else None
    return Effective(
        source=(spec.monitoring.source if spec.monitoring else None) or source,
        evaluation=_evaluation(spec.evaluation),
        steps=rollout.steps or STEPS,
        explicit_steps=rollout.steps is not None,
        approvals=rollout.approvals or (),
        confidence=_or(rollout.confidence, CONFIDENCE),
        blast_radius=_or(rollout.blast_radius, BLAST_RADIUS),
        min_duration=_or(rollout.min_duration, MIN_DURATION),
        max_duration=_or(rollout.max_duration, MAX_DURATION),
        on_inconclusive=rollout.on_inconclusive or "Hold",
        holdback_weight=(holdback.weight if holdback else None) or HOLDBACK_WEIGHT,
        holdback_duration=_or(holdback.duration if holdback else None, HOLDBACK_DURATION),
        replicas_min=replicas.min if replicas else 1,
        replicas_max=replicas.max if replicas else 1,
        autoscaled=may_scale(spec),
        rps=scale.rps if scale else None,
        keep_revisions=spec.rollback_policy.keep_revisions or KEEP_REVISIONS,
        keep_warm=_or(spec.rollback_policy.keep_warm, KEEP_WARM),
        within=_or(spec.rollback_policy.within, WITHIN),
        cooldown=_or(spec.rollback_policy.cooldown, COOLDOWN),
        load_duration=_or(load.duration, LOAD_DURATION) if load else None,
        headroom=_or(load.headroom, HEADROOM) if load else None,
        own_counts=(load.own_counts or OWN_COUNTS) if load else None,
        prices=(price_book or PRICES) if spec.constraints.cost else "",
        retrain_cooldown=_or(spec.retrain.cooldown if spec.retrain else None, RETRAIN_COOLDOWN),
        retrains=spec.retrain is not None,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _evaluation(it: Evaluation) -> dict[str, Any]:
    return {
        "report": it.format,
        **({"path": it.file} if it.file else {}),
        **({"proof": PROOF} if any(bar.proof is None for bar in it.bars) else {}),
        "activeDeadlineSeconds": it.job.get("activeDeadlineSeconds", EVALUATION_DEADLINE),
        "backoffLimit": it.job.get("backoffLimit", EVALUATION_BACK_OFF),
    }
