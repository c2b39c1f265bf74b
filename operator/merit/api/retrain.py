"""`spec.retrain`: how a new version of the model is made when the population has moved."""

from __future__ import annotations

from pydantic import Field

from merit.api.base import Model
from merit.api.fields import Duration, Label, TrainingJob


class Retrain(Model):
    """Started by failure modes whose response is Retrain. Exactly one of cronJob and job."""

    cron_job: Label | None = Field(
        default=None,
        description="A CronJob of the same namespace whose jobTemplate is run, suspended or not.",
    )
    job: TrainingJob | None = Field(
        default=None,
        description="JobSpec of the training: template, activeDeadlineSeconds, backoffLimit. It "
        "publishes the new version, and commits it to Git, by itself and as itself.",
    )
    cooldown: Duration | None = Field(
        default=None,
        description="The next run begins at the earliest this long after the last one began, "
        "whatever came of it; and at most three begin within seven days. Default: 24h.",
    )
