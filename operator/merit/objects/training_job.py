"""The training Job: the user's template, with the reason and the data window as environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import LABEL_STAGE
from merit.objects.workload import (
    Object,
    add_env,
    add_pod_labels,
    batch_job,
    job_spec,
    labels,
    metadata,
)

DEADLINE = 86400
BACK_OFF_LIMIT = 1


def training_job(
    *,
    job: str,
    name: str,
    namespace: str,
    owner: Object,
    template: Mapping[str, Any],
    env: Mapping[str, str],
) -> Object:
    """`template`: a JobSpec, of `spec.retrain.job` or of the CronJob. `env`: variables to set."""
    body = job_spec(template, deadline=DEADLINE, back_off=BACK_OFF_LIMIT)
    for part in ("suspend", "selector", "manualSelector"):
        body.pop(part, None)  # the API server sets the selector
    add_pod_labels(body["template"], labels(name))
    pod = body["template"]["spec"]
    if pod.get("restartPolicy") not in ("Never", "OnFailure"):
        pod["restartPolicy"] = "Never"
    # A token only if the template names an account and asks for its token.
    if not (pod.get("serviceAccountName") and pod.get("automountServiceAccountToken") is True):
        pod["automountServiceAccountToken"] = False
    for kind in ("initContainers", "containers"):
        for container in pod.get(kind, ()):
            add_env(container, env)
    job_labels = labels(name) | {LABEL_STAGE: "retrain"}
    return batch_job(metadata(job, namespace, owner, job_labels), body)
