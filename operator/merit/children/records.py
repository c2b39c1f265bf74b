"""What stays on record: the accepted spec, a finished stage, the ledger that outlives all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import LABEL_CANDIDATE, LABEL_STAGE, accepted_name, ledger_name
from merit.children.workload import Object, labels, metadata

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
    """The accepted spec: what the user said, and the children as they were rendered."""
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
    marks = labels(name) | {
        LABEL_STAGE: content["stage"].lower(),
        LABEL_CANDIDATE: content["revision"][3:11],
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(record, namespace, owner, marks),
        "immutable": True,
        "data": dict(content),
    }


def ledger_map(*, name: str, namespace: str, content: Mapping[str, str]) -> Object:
    """The one object that is not owned: it survives delete-and-recreate, on purpose."""
    obj: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ledger_name(name),
            "namespace": namespace,
            "labels": labels(name),
        },
        "data": dict(content),
    }
    return obj
