"""A way to retrain, where a failure mode asks for it."""

from __future__ import annotations

from merit.api.quantity import Refused
from merit.api.rules.templates import check_job
from merit.api.spec import Spec


def check_retrain(spec: Spec) -> None:
    """Declared once, and declared where it is asked for. Raises Refused."""
    it = spec.retrain
    for index, mode in enumerate(spec.failure_modes):
        if mode.response == "Retrain" and it is None:
            raise Refused(
                "has nothing to run",
                "set spec.retrain, as retrain: {cronJob: train-fraud}",
                f"failureModes[{index}].response",
            )
    if it is None:
        return
    if (it.cron_job is None) == (it.job is None):
        raise Refused(
            "names nothing to run" if it.job is None else "names two things to run",
            "set exactly one, cronJob: NAME or job: {template}",
            "retrain",
        )
    if it.job is not None:
        check_job(it.job, "retrain.job")
