"""The Job of a load test: a restricted pod of Merit, without a token, apart from serving pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from merit.api.names import LABEL_CANDIDATE, LABEL_NAME, LABEL_REVISION, LABEL_STAGE, revision_name
from merit.loadtest.order import Order
from merit.objects.workload import (
    UNPRIVILEGED_CONTAINER,
    UNPRIVILEGED_POD,
    Object,
    batch_job,
    labels,
    metadata,
    variables,
)

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
    """The Job of gate 2. `order`: what it sends, and to which pods of the candidate.

    `secrets`: imagePullSecrets of the pods under test; their registry may serve Merit's image, too.
    """
    target = f"http://{revision_name(name, short)}.{namespace}.svc:{port}"
    env = {
        "MERIT_NAME": name,
        "MERIT_NAMESPACE": namespace,
        "MERIT_REVISION": revision,
        "MERIT_NONCE": nonce,
        "MERIT_TARGET_URL": target,
        "MERIT_LOAD_PLAN": order.dump(),
    }
    job_labels = labels(name) | {LABEL_STAGE: "feasibility", LABEL_CANDIDATE: short}
    pod = _pod(image, env, order.bodies, name, short)
    if secrets:
        pod["imagePullSecrets"] = list(secrets)
    spec = {
        "activeDeadlineSeconds": int(order.plan.deadline),
        "backoffLimit": 0,  # a second pod would double the load on the model
        "template": {"metadata": {"labels": labels(name)}, "spec": pod},
    }
    return batch_job(metadata(job, namespace, owner, job_labels), spec)


def _pod(image: str, env: Mapping[str, str], bodies: str, name: str, short: str) -> Object:
    container: Object = {
        "name": "load",
        "image": image,
        "command": ["python3", "-m", "merit.loadtest"],
        "env": variables(env),
        # No CPU limit: a throttled generator would measure itself.
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
        },
        "terminationMessagePolicy": "File",
        "securityContext": UNPRIVILEGED_CONTAINER,
    }
    pod: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": UNPRIVILEGED_POD,
        "containers": [container],
        "affinity": {"podAntiAffinity": _prefer_other_node(name, short)},
    }
    if bodies:
        # Optional, so that the generator reports a missing one; otherwise its pod would not start.
        volume = {"name": "bodies", "configMap": {"name": bodies, "optional": True}}
        container["volumeMounts"] = [{"name": "bodies", "mountPath": BODIES, "readOnly": True}]
        pod["volumes"] = [volume]
    return pod


def _prefer_other_node(name: str, short: str) -> Object:
    """Prefer another node than those of the pods under test."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {LABEL_NAME: name, LABEL_REVISION: short}},
    }
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
