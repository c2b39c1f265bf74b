"""Autoscaler and disruption budget of one revision, within `constraints.scale.replicas`."""

from __future__ import annotations

from merit.api.defaults import SCALE_AT_CPU
from merit.api.names import revision_name
from merit.api.spec import Spec, serving_container
from merit.objects.workload import Object, labels, metadata, selector, stamped


def autoscaler(
    name: str,
    namespace: str,
    owner: Object,
    spec: Spec,
    short: str,
    *,
    least: int,
    most: int,
) -> Object:
    """The HorizontalPodAutoscaler of a live revision: from `least` to `most` pods, by CPU."""
    deployment = revision_name(name, short)
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
    target = {"type": "Utilization", "averageUtilization": SCALE_AT_CPU}
    by_cpu = {"name": "cpu", "container": serving_container(spec)["name"], "target": target}
    return stamped(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": metadata(deployment, namespace, owner, labels(name, short)),
            "spec": {
                "scaleTargetRef": scaled,
                "minReplicas": least,
                "maxReplicas": most,
                "metrics": [{"type": "ContainerResource", "containerResource": by_cpu}],
            },
        }
    )


def disruption_budget(name: str, namespace: str, owner: Object, short: str) -> Object:
    """At most one pod may be evicted at a time; a pod that is not ready may be evicted any time.

    Only for revisions of two pods or more.
    """
    return stamped(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(revision_name(name, short), namespace, owner, labels(name, short)),
            "spec": {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": selector(name, short)},
            },
        }
    )
