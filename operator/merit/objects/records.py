"""Records: an accepted spec, a finished run of a stage, and the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import LABEL_CANDIDATE, LABEL_STAGE, accepted_name, ledger_name
from merit.objects.workload import Object, labels, metadata

RENDERER = "1"


def controller_revision(
    *,
    name: str,
    namespace: str,
    owner: Object,
    key: str,
    number: int,
    spec: Mapping[str, Any],
    deployment: Object,
    service: Object,
) -> Object:
    """The accepted spec: as the user declared it, with the children as they were rendered."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata(accepted_name(name, key), namespace, owner, labels(name)),
        "revision": number,
        "data": {
            "spec": {k: v for k, v in spec.items() if k != "rollback"},
            "deployment": deployment,
            "service": service,
            "renderer": RENDERER,
        },
    }


def stage_record(
    *, record: str, name: str, namespace: str, owner: Object, content: Mapping[str, str]
) -> Object:
    """One immutable ConfigMap per finished run of a stage."""
    record_labels = labels(name) | {
        LABEL_STAGE: content["stage"].lower(),
        LABEL_CANDIDATE: content["revision"][3:11],
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(record, namespace, owner, record_labels),
        "immutable": True,
        "data": dict(content),
    }


def ledger_map(*, name: str, namespace: str, content: Mapping[str, str]) -> Object:
    """The ledger, a ConfigMap without owner: it survives deletion of the ModelDeployment."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ledger_name(name),
            "namespace": namespace,
            "labels": labels(name),
        },
        "data": dict(content),
    }
