"""Autoscaler and disruption budget of one revision, within `constraints.scale.replicas`."""

from __future__ import annotations

from merit.api.containers import serving_container
from merit.api.defaults import SCALE_AT_CPU
from merit.api.names import arm_name
from merit.api.spec import Spec
from merit.children.workload import Object, labels, metadata, selector, stamped


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
    """The HorizontalPodAutoscaler of a live revision: `least` to `most` pods, by CPU."""
    called = arm_name(name, short)
    target = {"type": "Utilization", "averageUtilization": SCALE_AT_CPU}
    by_cpu = {"name": "cpu", "container": serving_container(spec)["name"], "target": target}
    return stamped(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": metadata(called, namespace, owner, labels(name, short)),
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": called},
                "minReplicas": least,
                "maxReplicas": most,
                "metrics": [{"type": "ContainerResource", "containerResource": by_cpu}],
            },
        }
    )


def disruption_budget(name: str, namespace: str, owner: Object, short: str) -> Object:
    """One pod at a time may be evicted, and a pod that is not ready any time.

    For revisions of two pods and more: with one, it would forbid every eviction or none.
    """
    return stamped(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(arm_name(name, short), namespace, owner, labels(name, short)),
            "spec": {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": selector(name, short)},
            },
        }
    )
