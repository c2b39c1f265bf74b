"""The evaluation Job: the user's template, bound to one revision and one run.

If the report is a file, the user's containers become init containers, and a container of Merit
reads the file after them: it runs in a pod that is thrown away and may do nothing else. The
operator reads only what that container writes to its termination message.
"""

from __future__ import annotations

from merit.api.defaults import EVALUATION_BACK_OFF, EVALUATION_DEADLINE
from merit.api.evaluation import Evaluation
from merit.api.names import LABEL_CANDIDATE, LABEL_STAGE, REPORT_CONTAINER
from merit.api.spec import Spec
from merit.objects.workload import (
    UNPRIVILEGED_CONTAINER,
    UNPRIVILEGED_POD,
    Object,
    add_env,
    add_pod_labels,
    batch_job,
    job_spec,
    labels,
    metadata,
    pull_secrets,
    variables,
)

DIRECTORY = "/merit/report"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
NO_TOKEN = "merit-no-token"


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
    """The Job of gate 1. `stable`: revision and URI of the stable revision; empty without one.

    `image`: Merit's own, for the container that reads the report file.
    """
    body = job_spec(spec.evaluation.job, deadline=EVALUATION_DEADLINE, back_off=EVALUATION_BACK_OFF)
    template = body["template"]
    add_pod_labels(template, labels(name))
    pod = template["spec"]
    pod["restartPolicy"] = "Never"
    if not pod.get("serviceAccountName"):
        pod["automountServiceAccountToken"] = False
    env = {
        "MERIT_NAME": name,
        "MERIT_NAMESPACE": namespace,
        "MERIT_REVISION": revision,
        "MERIT_NONCE": nonce,
        "MERIT_MODEL_URI": spec.model.uri,
        "MERIT_MODEL_VERSION": spec.model.version,
        "MERIT_STABLE_REVISION": stable[0],
        "MERIT_STABLE_URI": stable[1],
    }
    for container in (*(pod.get("initContainers") or ()), *pod.get("containers", ())):
        add_env(container, env)
        container["terminationMessagePolicy"] = "File"  # otherwise log lines could be the report
    if spec.evaluation.file:
        # Merit's image may come from the registry that serves the model server's image.
        if secrets := pull_secrets(template, spec.serving.template):
            pod["imagePullSecrets"] = secrets
        _add_report_container(pod, spec.evaluation, revision=revision, nonce=nonce, image=image)
    job_labels = labels(name) | {LABEL_STAGE: "evaluation", LABEL_CANDIDATE: short}
    return batch_job(metadata(job, namespace, owner, job_labels), body)


def _add_report_container(
    pod: Object, evaluation: Evaluation, *, revision: str, nonce: str, image: str
) -> None:
    """Change the pod in place: the user's containers first, then the one that reads the report."""
    mount = {"name": REPORT_CONTAINER, "mountPath": DIRECTORY}
    before = [*(pod.get("initContainers") or ()), *pod["containers"]]
    for container in before:
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
        add_env(container, {"MERIT_REPORT_DIR": DIRECTORY})
    reader = _report_container(evaluation, revision=revision, nonce=nonce, image=image)
    volumes = [*(pod.get("volumes") or ()), {"name": REPORT_CONTAINER, "emptyDir": {}}]
    if pod.get("serviceAccountName"):
        # Kubernetes mounts no token into a container that has a mount at this path.
        volumes.append({"name": NO_TOKEN, "emptyDir": {}})
        reader["volumeMounts"].append({"name": NO_TOKEN, "mountPath": TOKEN, "readOnly": True})
    pod["initContainers"] = before
    pod["containers"] = [reader]
    pod["volumes"] = volumes


def _report_container(evaluation: Evaluation, *, revision: str, nonce: str, image: str) -> Object:
    env = {
        "MERIT_REVISION": revision,
        "MERIT_NONCE": nonce,
        "MERIT_REPORT_DIR": DIRECTORY,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {
        "name": REPORT_CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "merit"],
        "args": ["report", *_arguments(evaluation)],
        "env": variables(env),
        "volumeMounts": [{"name": REPORT_CONTAINER, "mountPath": DIRECTORY, "readOnly": True}],
        "terminationMessagePolicy": "File",
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": UNPRIVILEGED_POD | UNPRIVILEGED_CONTAINER,
    }


def _arguments(evaluation: Evaluation) -> list[str]:
    """What to read, and what the bars need in case that not everything fits."""
    pointers = evaluation.report.metrics if evaluation.report else None
    bars = evaluation.bars
    return [
        f"--format={evaluation.format}",
        f"--path={evaluation.file}",
        *(f"--metric={each.name}={each.from_}" for each in pointers or ()),
        *(f"--keep={name}" for name in dict.fromkeys(bar.metric for bar in bars)),
        *(f"--keep-slices={g}" for g in dict.fromkeys(g for b in bars for g in b.slices or ())),
    ]
