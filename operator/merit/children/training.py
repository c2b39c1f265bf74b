"""The Job that makes a new version: the user's template, told why and on which data."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from merit.api.names import LABEL_STAGE
from merit.children.workload import Object, labels, metadata

DEADLINE = 86400
BACK_OFF_LIMIT = 1


def training_job(
    *,
    job: str,
    name: str,
    namespace: str,
    owner: Object,
    template: Mapping[str, Any],
    told: Mapping[str, str],
) -> Object:
    """`template`: a JobSpec, of `spec.retrain.job` or of the CronJob. `told`: the environment."""
    body = copy.deepcopy(dict(template))
    for part in ("ttlSecondsAfterFinished", "suspend", "selector", "manualSelector"):
        body.pop(part, None)  # its end must be seen, and its selector is the API server's
    body.setdefault("activeDeadlineSeconds", DEADLINE)
    body.setdefault("backoffLimit", BACK_OFF_LIMIT)
    pods = body.get("template") or {}
    meta = dict(pods.get("metadata") or {})
    meta["labels"] = dict(meta.get("labels") or {}) | labels(name)
    pods["metadata"] = meta
    pod: dict[str, Any] = pods.setdefault("spec", {})
    if pod.get("restartPolicy") not in ("Never", "OnFailure"):
        pod["restartPolicy"] = "Never"
    # A token only for who names an account and asks for its token.
    if not (pod.get("serviceAccountName") and pod.get("automountServiceAccountToken") is True):
        pod["automountServiceAccountToken"] = False
    for kind in ("initContainers", "containers"):
        for container in pod.get(kind, ()):
            env = [e for e in container.get("env") or [] if e.get("name") not in told]
            container["env"] = env + [{"name": key, "value": value} for key, value in told.items()]
    body["template"] = pods
    marks = labels(name) | {LABEL_STAGE: "retrain"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(job, namespace, owner, marks),
        "spec": body,
    }
