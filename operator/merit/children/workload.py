"""Deployment and Service of one revision: rendered once, recorded, and applied as recorded."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from merit.api.hashing import content_hash
from merit.api.names import (
    ANNOTATION_HASH,
    API_VERSION,
    KIND,
    LABEL_NAME,
    LABEL_REVISION,
    LABEL_ROLE,
    SERVING,
    arm_name,
)
from merit.api.spec import Spec

Object = dict[str, Any]
PROGRESS_DEADLINE = 300  # seconds until a Deployment that does not become ready has failed
_DETACHED = {
    # The tools of GitOps must neither prune nor correct what this operator owns.
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}


def owner_reference(name: str, uid: str) -> Object:
    """The resource as the one controller; deletion is never blocked by it."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def labels(name: str, short: str = "") -> dict[str, str]:
    """What every child carries; watches and selectors go by the first two."""
    found = {LABEL_NAME: name, "app.kubernetes.io/managed-by": "merit"}
    return found | ({LABEL_REVISION: short} if short else {})


def selector(name: str, short: str) -> dict[str, str]:
    """What tells the pods of one revision."""
    return {LABEL_NAME: name, LABEL_REVISION: short}


def metadata(name: str, namespace: str, owner: Object, marks: dict[str, str]) -> Object:
    """Metadata of a child."""
    return {
        "name": name,
        "namespace": namespace,
        "labels": marks,
        "annotations": dict(_DETACHED),
        "ownerReferences": [owner],
    }


def stamped(obj: Object) -> Object:
    """The object with the hash of itself: how drift is seen without comparing bodies."""
    kept = copy.deepcopy(obj)
    kept["metadata"]["annotations"][ANNOTATION_HASH] = content_hash(obj)[3:19]
    return kept


def deployment(name: str, namespace: str, owner: Object, spec: Spec, identity: Any) -> Object:
    """The Deployment of a revision, without replicas: those are changed through scale only."""
    template = copy.deepcopy(dict(spec.serving.template))
    meta = dict(template.get("metadata") or {})
    marks = labels(name, identity.short) | {LABEL_ROLE: SERVING}
    meta["labels"] = dict(meta.get("labels") or {}) | marks
    template["metadata"] = meta
    given = (
        ("MERIT_MODEL_NAME", spec.model.name),
        ("MERIT_MODEL_VERSION", spec.model.version),
        ("MERIT_MODEL_URI", spec.model.uri),
        ("MERIT_REVISION", identity.revision),
    )
    for container in template.get("spec", {}).get("containers", ()):
        env = list(container.get("env") or [])
        container["env"] = env + [{"name": key, "value": value} for key, value in given]
    return stamped(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(
                arm_name(name, identity.short), namespace, owner, labels(name, identity.short)
            ),
            "spec": {
                "selector": {"matchLabels": selector(name, identity.short)},
                "progressDeadlineSeconds": PROGRESS_DEADLINE,
                "paused": False,  # named, so that it can be put back
                "template": template,
            },
        }
    )


def pull_secrets(*templates: Mapping[str, Any]) -> list[Object]:
    """imagePullSecrets of these pod templates, each once: what a pod of Merit's pulls with."""
    named = [
        dict(secret)
        for template in templates
        for secret in (template.get("spec") or {}).get("imagePullSecrets") or ()
    ]
    return [secret for i, secret in enumerate(named) if secret not in named[:i]]


def arm_service(name: str, namespace: str, owner: Object, spec: Spec, short: str) -> Object:
    """The Service of one revision: what the route's weights point to."""
    meta = metadata(arm_name(name, short), namespace, owner, labels(name, short))
    return _service(meta, spec.serving.port, selector(name, short))


def diverted_service(name: str, namespace: str, owner: Object, port: int, short: str, to: Spec,
                     to_short: str) -> Object:  # fmt: skip
    """The Service of a revision, before the pods of another: its port stays, theirs answers."""
    meta = metadata(arm_name(name, short), namespace, owner, labels(name, short))
    return _service(meta, port, selector(name, to_short), to.serving.port)


def front_service(name: str, namespace: str, owner: Object, port: int, short: str = "") -> Object:
    """The Service `<name>`: before the pods of one revision, or, without one, before all of them.

    All of them means pods that serve: a gate's Job has the same name on its pods.
    """
    chosen = selector(name, short) if short else {LABEL_NAME: name, LABEL_ROLE: SERVING}
    return _service(metadata(name, namespace, owner, labels(name)), port, chosen)


def _service(meta: Object, port: int, chosen: dict[str, str], target: int | None = None) -> Object:
    target = port if target is None else target
    return stamped(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {
                "selector": chosen,
                "ports": [{"name": "http", "port": port, "targetPort": target, "protocol": "TCP"}],
            },
        }
    )
