"""Checks all rules that span fields, in one order."""

from __future__ import annotations

from merit.api.quantity import InvalidValue
from merit.api.rules.constraints import check_constraints, check_load_test
from merit.api.rules.evaluation import check_evaluation
from merit.api.rules.failure_modes import check_failure_modes, check_retrain
from merit.api.rules.monitoring import check_monitoring
from merit.api.rules.rollout import check_rollout, check_steps_of_pods
from merit.api.rules.templates import check_serving
from merit.api.spec import Spec


def check(spec: Spec) -> None:
    """Raise InvalidValue for the first violated rule. Its field is relative to `spec`."""
    check_constraints(spec.constraints)
    check_monitoring(spec)
    check_failure_modes(spec)
    check_evaluation(spec)
    check_load_test(spec)
    check_rollout(spec.rollout)
    check_steps_of_pods(spec)
    check_serving(spec)
    check_retrain(spec)
    if spec.bypass and len(set(spec.bypass.stages)) < len(spec.bypass.stages):
        raise InvalidValue("names a stage twice", "name each once", "bypass.stages")
    pin = spec.rollback
    if pin and pin.from_revision == pin.to_revision:
        raise InvalidValue(
            "names the same revision as rejected and as serving",
            "leave spec.rollback to the operator: remove it from the manifest",
            "rollback.toRevision",
        )
