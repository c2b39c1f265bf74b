"""What spans fields, or stands where the CRD's schema cannot look: in templates."""

from __future__ import annotations

from merit.api.quantity import Refused
from merit.api.rules.constraints import check_constraints
from merit.api.rules.evaluation import check_evaluation
from merit.api.rules.failure_modes import check_failure_modes
from merit.api.rules.feasibility import check_feasibility
from merit.api.rules.monitoring import check_monitoring
from merit.api.rules.retrain import check_retrain
from merit.api.rules.rollout import check_rollout, check_steps_of_pods
from merit.api.rules.serving import check_serving
from merit.api.spec import Spec

__all__ = ["check"]


def check(spec: Spec) -> None:
    """Raises Refused, its field relative to `spec`, for the first rule that does not hold."""
    check_constraints(spec.constraints)
    check_monitoring(spec)
    check_failure_modes(spec)
    check_evaluation(spec)
    check_feasibility(spec)
    check_rollout(spec.rollout)
    check_steps_of_pods(spec)
    check_serving(spec)
    check_retrain(spec)
    if spec.bypass and len(set(spec.bypass.stages)) < len(spec.bypass.stages):
        raise Refused("names a stage twice", "name each once", "bypass.stages")
    pin = spec.rollback
    if pin and pin.from_revision == pin.to_revision:
        raise Refused(
            "names one revision as rejected and as what serves instead",
            "leave spec.rollback to the operator: take it out of the manifest",
            "rollback.toRevision",
        )
