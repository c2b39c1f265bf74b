"""The evaluation Job, as the user wrote it, bound to one revision and one run."""

from __future__ import annotations

import copy
from typing import Any

from merit.api.defaults import EVALUATION_BACK_OFF, EVALUATION_DEADLINE
from merit.api.names import LABEL_CANDIDATE, LABEL_STAGE
from merit.api.spec import Spec
from merit.children.report_container import read_by_merit
from merit.children.workload import Object, labels, metadata, pull_secrets


def evaluation_job(
    *,
    job: str,
    name: str,
    namespace: str,
    owner: Object,
    spec: Spec,
    revision: str,
    short: str,
    nonce: str,
    stable: tuple[str, str] = ("", ""),
    image: str = "",
) -> Object:
    """The Job of gate 1. `stable`: revision and URI of what serves now, empty at the first.

    `image`: Merit's own, for the container that reads a framework's file.
    """
    body = copy.deepcopy(dict(spec.evaluation.job))
    body.pop("ttlSecondsAfterFinished", None)  # the report is read before anything deletes it
    body.setdefault("activeDeadlineSeconds", EVALUATION_DEADLINE)
    body.setdefault("backoffLimit", EVALUATION_BACK_OFF)
    template = body.get("template") or {}
    meta = dict(template.get("metadata") or {})
    meta["labels"] = dict(meta.get("labels") or {}) | labels(name)
    template["metadata"] = meta
    pod: dict[str, Any] = template.setdefault("spec", {})
    pod["restartPolicy"] = "Never"
    if not pod.get("serviceAccountName"):
        pod["automountServiceAccountToken"] = False
    given = (
        ("MERIT_NAME", name),
        ("MERIT_NAMESPACE", namespace),
        ("MERIT_REVISION", revision),
        ("MERIT_NONCE", nonce),
        ("MERIT_MODEL_URI", spec.model.uri),
        ("MERIT_MODEL_VERSION", spec.model.version),
        ("MERIT_STABLE_REVISION", stable[0]),
        ("MERIT_STABLE_URI", stable[1]),
    )
    for container in (*(pod.get("initContainers") or ()), *pod.get("containers", ())):
        env = list(container.get("env") or [])
        container["env"] = env + [{"name": key, "value": value} for key, value in given]
        container["terminationMessagePolicy"] = "File"  # log lines are no report
    if spec.evaluation.file:
        # The reading container's image is Merit's, and may come from where the server's comes from.
        if secrets := pull_secrets(template, spec.serving.template):
            pod["imagePullSecrets"] = secrets
        read_by_merit(pod, spec.evaluation, revision=revision, nonce=nonce, image=image)
    body["template"] = template
    marks = labels(name) | {LABEL_STAGE: "evaluation", LABEL_CANDIDATE: short}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(job, namespace, owner, marks),
        "spec": body,
    }
