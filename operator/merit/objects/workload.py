"""Deployment and Services of a revision. They are rendered once, recorded, applied as recorded."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from merit.api.hashing import Identity, content_hash
from merit.api.names import (
    ANNOTATION_HASH,
    API_VERSION,
    KIND,
    LABEL_NAME,
    LABEL_PREFIX,
    LABEL_REVISION,
    LABEL_ROLE,
    SERVING,
    revision_name,
)
from merit.api.rollout import RouteMetadata
from merit.api.spec import Spec

Object = dict[str, Any]
PROGRESS_DEADLINE = 300  # seconds after which a Deployment that is not ready has failed
UNPRIVILEGED_POD = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
UNPRIVILEGED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_NOT_MANAGED_BY_GITOPS = {
    # GitOps tools must neither prune nor correct what this operator owns.
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}


def owner_reference(name: str, uid: str) -> Object:
    """An owner reference to the ModelDeployment as controller; it never blocks deletion."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def labels(name: str, short: str = "") -> dict[str, str]:
    """The labels of every child; `short`: of the revision that it belongs to, if any."""
    common = {LABEL_NAME: name, "app.kubernetes.io/managed-by": "merit"}
    return common | ({LABEL_REVISION: short} if short else {})


def selector(name: str, short: str) -> dict[str, str]:
    """The labels that select the pods of one revision."""
    return {LABEL_NAME: name, LABEL_REVISION: short}


def metadata(
    name: str,
    namespace: str,
    owner: Object,
    labels: dict[str, str],
    users: RouteMetadata | None = None,
) -> Object:
    """Metadata of a child. `users`: what they declared besides; ours wins."""
    users = users or RouteMetadata()
    return {
        "name": name,
        "namespace": namespace,
        "labels": (users.labels or {}) | labels,
        "annotations": (users.annotations or {}) | _NOT_MANAGED_BY_GITOPS,
        "ownerReferences": [owner],
    }


def add_pod_labels(template: Object, more: Mapping[str, str]) -> None:
    """Set our labels on a pod template, in place: the user's own, and no other of ours."""
    meta = dict(template.get("metadata") or {})
    users = (meta.get("labels") or {}).items()
    meta["labels"] = {k: v for k, v in users if not k.startswith(LABEL_PREFIX)} | dict(more)
    template["metadata"] = meta


def add_env(container: Object, values: Mapping[str, str]) -> None:
    """Set environment variables of a container, in place.

    They come first: Kubernetes expands `$(NAME)` only of what stands before.
    """
    kept = [entry for entry in container.get("env") or () if entry.get("name") not in values]
    container["env"] = variables(values) + kept


def variables(values: Mapping[str, str]) -> list[Object]:
    """Environment variables as a container lists them."""
    return [{"name": name, "value": value} for name, value in values.items()]


def batch_job(meta: Object, spec: Object) -> Object:
    """A Job."""
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


def job_spec(template: Mapping[str, Any], *, deadline: int, back_off: int) -> Object:
    """A copy of a user's JobSpec with these defaults, and a pod template to change in place."""
    spec = copy.deepcopy(dict(template))
    spec.pop("ttlSecondsAfterFinished", None)  # its end is read before anything deletes it
    spec.setdefault("activeDeadlineSeconds", deadline)
    spec.setdefault("backoffLimit", back_off)
    spec["template"] = spec.get("template") or {}
    spec["template"].setdefault("spec", {})
    return spec


def stamped(obj: Object) -> Object:
    """The object with its own hash as annotation, so that edits are seen without a comparison."""
    hashed = copy.deepcopy(obj)
    hashed["metadata"]["annotations"][ANNOTATION_HASH] = content_hash(obj)[3:19]
    return hashed


def deployment(name: str, namespace: str, owner: Object, spec: Spec, identity: Identity) -> Object:
    """The Deployment of a revision, without replicas: they are set through subresource scale."""
    template = copy.deepcopy(dict(spec.serving.template))
    add_pod_labels(template, labels(name, identity.short) | {LABEL_ROLE: SERVING})
    env = {
        "MERIT_MODEL_NAME": spec.model.name,
        "MERIT_MODEL_VERSION": spec.model.version,
        "MERIT_MODEL_URI": spec.model.uri,
        "MERIT_REVISION": identity.revision,
    }
    pod = template.get("spec", {})
    for container in (*(pod.get("initContainers") or ()), *pod.get("containers", ())):
        add_env(container, env)
    return stamped(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(
                revision_name(name, identity.short), namespace, owner, labels(name, identity.short)
            ),
            "spec": {
                "selector": {"matchLabels": selector(name, identity.short)},
                "progressDeadlineSeconds": PROGRESS_DEADLINE,
                "paused": False,  # declared, so that an edit of it is corrected
                "template": template,
            },
        }
    )


def pull_secrets(*templates: Mapping[str, Any]) -> list[Object]:
    """The imagePullSecrets of these pod templates, each once, for a pod with Merit's image."""
    secrets = [
        dict(secret)
        for template in templates
        for secret in (template.get("spec") or {}).get("imagePullSecrets") or ()
    ]
    return [secret for i, secret in enumerate(secrets) if secret not in secrets[:i]]


def revision_service(name: str, namespace: str, owner: Object, spec: Spec, short: str) -> Object:
    """The Service of one revision, to which the route's weights refer."""
    meta = metadata(revision_name(name, short), namespace, owner, labels(name, short))
    return _service(meta, spec.serving.port, selector(name, short))


def diverted_service(name: str, namespace: str, owner: Object, port: int, short: str, to: Spec,
                     to_short: str) -> Object:  # fmt: skip
    """The Service of a revision, with the pods of another one behind it. Its port stays."""
    meta = metadata(revision_name(name, short), namespace, owner, labels(name, short))
    return _service(meta, port, selector(name, to_short), to.serving.port)


def front_service(
    name: str,
    namespace: str,
    owner: Object,
    port: int,
    short: str = "",
    users: RouteMetadata | None = None,
) -> Object:
    """The Service `<name>`, for the pods of one revision, or without one for all serving pods.

    The role label excludes the pods of Jobs, which have the same name label.
    """
    pods = selector(name, short) if short else {LABEL_NAME: name, LABEL_ROLE: SERVING}
    return _service(metadata(name, namespace, owner, labels(name), users), port, pods)


def _service(meta: Object, port: int, pods: dict[str, str], target: int | None = None) -> Object:
    target = port if target is None else target
    return stamped(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {
                "selector": pods,
                "ports": [{"name": "http", "port": port, "targetPort": target, "protocol": "TCP"}],
            },
        }
    )
