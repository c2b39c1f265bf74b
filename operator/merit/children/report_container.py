"""Where a report is a file: the user's containers first, then one of Merit's that reads it.

The user's become init containers, so nothing races over who ends first. The file is parsed here, in
a pod that is thrown away, by a container that may do nothing else; the operator reads only what
that container leaves in its termination message.
"""

from __future__ import annotations

from typing import Any

from merit.api.evaluation import Evaluation
from merit.api.names import REPORT_CONTAINER
from merit.children.workload import Object

DIRECTORY = "/merit/report"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
NO_TOKEN = "merit-no-token"


def read_by_merit(
    pod: Object, evaluation: Evaluation, *, revision: str, nonce: str, image: str
) -> None:
    """Change the pod in place."""
    mount = {"name": REPORT_CONTAINER, "mountPath": DIRECTORY}
    before = [*(pod.get("initContainers") or ()), *pod["containers"]]
    for container in before:
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
        container["env"] = [*container["env"], {"name": "MERIT_REPORT_DIR", "value": DIRECTORY}]
    reader = _reader(evaluation, revision=revision, nonce=nonce, image=image)
    volumes = [*(pod.get("volumes") or ()), {"name": REPORT_CONTAINER, "emptyDir": {}}]
    if pod.get("serviceAccountName"):
        # A mount in this place is what keeps the account's token out of a single container.
        volumes.append({"name": NO_TOKEN, "emptyDir": {}})
        reader["volumeMounts"].append({"name": NO_TOKEN, "mountPath": TOKEN, "readOnly": True})
    pod["initContainers"] = before
    pod["containers"] = [reader]
    pod["volumes"] = volumes


def _reader(evaluation: Evaluation, *, revision: str, nonce: str, image: str) -> dict[str, Any]:
    given = (
        ("MERIT_REVISION", revision),
        ("MERIT_NONCE", nonce),
        ("MERIT_REPORT_DIR", DIRECTORY),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    )
    return {
        "name": REPORT_CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "merit"],
        "args": ["report", *_arguments(evaluation)],
        "env": [{"name": name, "value": value} for name, value in given],
        "volumeMounts": [{"name": REPORT_CONTAINER, "mountPath": DIRECTORY, "readOnly": True}],
        "terminationMessagePolicy": "File",
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _arguments(evaluation: Evaluation) -> list[str]:
    """What to read, and what the bars will ask for, should not everything fit."""
    pointed = evaluation.report.metrics if evaluation.report else None
    bars = evaluation.bars
    return [
        f"--format={evaluation.format}",
        f"--path={evaluation.file}",
        *(f"--metric={each.name}={each.from_}" for each in pointed or ()),
        *(f"--keep={name}" for name in dict.fromkeys(bar.metric for bar in bars)),
        *(f"--keep-slices={g}" for g in dict.fromkeys(g for b in bars for g in b.slices or ())),
    ]
