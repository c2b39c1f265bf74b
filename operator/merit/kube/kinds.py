"""The API path of each kind: a static table, so that no discovery is needed."""

from __future__ import annotations

_PLURALS: dict[tuple[str, str], tuple[str, bool]] = {
    # (group, kind) -> (plural, namespaced)
    ("merit.dev", "ModelDeployment"): ("modeldeployments", True),
    ("apps", "Deployment"): ("deployments", True),
    ("apps", "ControllerRevision"): ("controllerrevisions", True),
    ("batch", "Job"): ("jobs", True),
    ("batch", "CronJob"): ("cronjobs", True),
    ("", "Pod"): ("pods", True),
    ("", "Service"): ("services", True),
    ("", "ConfigMap"): ("configmaps", True),
    ("", "Namespace"): ("namespaces", False),
    ("autoscaling", "HorizontalPodAutoscaler"): ("horizontalpodautoscalers", True),
    ("policy", "PodDisruptionBudget"): ("poddisruptionbudgets", True),
    ("discovery.k8s.io", "EndpointSlice"): ("endpointslices", True),
    ("gateway.networking.k8s.io", "HTTPRoute"): ("httproutes", True),
    ("gateway.networking.k8s.io", "Gateway"): ("gateways", True),
    ("events.k8s.io", "Event"): ("events", True),
    ("coordination.k8s.io", "Lease"): ("leases", True),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("customresourcedefinitions", False),
}


def plural(api_version: str, kind: str) -> tuple[str, bool]:
    """The name in URLs, and whether the kind is namespaced. KeyError for an unknown kind."""
    group = api_version.rpartition("/")[0]
    return _PLURALS[group, kind]


def collection(api_version: str, kind: str, namespace: str | None) -> str:
    """The path of all objects of a kind, in one namespace or in all."""
    name, namespaced = plural(api_version, kind)
    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    inside = f"/namespaces/{namespace}" if namespaced and namespace else ""
    return f"{root}{inside}/{name}"


def item(api_version: str, kind: str, namespace: str | None, name: str) -> str:
    """The path of one object."""
    return f"{collection(api_version, kind, namespace)}/{name}"
