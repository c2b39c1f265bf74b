"""The Job of a load test: Merit's own pod, restricted, without a token, near nobody's traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from merit.api.names import LABEL_CANDIDATE, LABEL_NAME, LABEL_REVISION, LABEL_STAGE, arm_name
from merit.children.workload import Object, labels, metadata
from merit.evidence.load_order import Order

BODIES = "/etc/merit/bodies"


def load_job(
    *,
    job: str,
    name: str,
    namespace: str,
    owner: Object,
    image: str,
    order: Order,
    revision: str,
    short: str,
    nonce: str,
    port: int,
    secrets: Sequence[Object] = (),
) -> Object:
    """The Job of gate 2. `order`: what it sends, and to which of the candidate's pods.

    `secrets`: imagePullSecrets of the pods under test, for a registry that serves both images.
    """
    target = f"http://{arm_name(name, short)}.{namespace}.svc:{port}"
    given: Mapping[str, str] = {
        "MERIT_NAME": name,
        "MERIT_NAMESPACE": namespace,
        "MERIT_REVISION": revision,
        "MERIT_NONCE": nonce,
        "MERIT_TARGET_URL": target,
        "MERIT_LOAD_PLAN": order.dump(),
    }
    marks = labels(name) | {LABEL_STAGE: "feasibility", LABEL_CANDIDATE: short}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(job, namespace, owner, marks),
        "spec": {
            "activeDeadlineSeconds": int(order.plan.deadline),
            "backoffLimit": 0,  # a second pod would put twice the load on the model
            "template": {
                "metadata": {"labels": labels(name)},
                "spec": _pod(image, given, order.bodies, name, short)
                | ({"imagePullSecrets": list(secrets)} if secrets else {}),
            },
        },
    }


def _pod(image: str, given: Mapping[str, str], bodies: str, name: str, short: str) -> Object:
    container: Object = {
        "name": "load",
        "image": image,
        "command": ["python3", "-m", "merit.load"],
        "env": [{"name": key, "value": value} for key, value in given.items()],
        # No limit on CPU: a generator that is throttled measures itself.
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
        },
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "affinity": {"podAntiAffinity": _elsewhere(name, short)},
    }
    if bodies:
        # Optional, so that a missing one is said by the generator and not by a pod that hangs.
        volume = {"name": "bodies", "configMap": {"name": bodies, "optional": True}}
        container["volumeMounts"] = [{"name": "bodies", "mountPath": BODIES, "readOnly": True}]
        pod["volumes"] = [volume]
    return pod


def _elsewhere(name: str, short: str) -> Object:
    """On another node than the pods under test, where there is one."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {LABEL_NAME: name, LABEL_REVISION: short}},
    }
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
