"""Pods with access to their node. The operator creates pods for users, so it refuses these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from merit.api.spec import Spec
from merit.api.validation import Invalid

_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")


def host_access(spec: Spec) -> Invalid | None:
    """The first access to the node that a template of this spec would have, or None.

    An admission policy may refuse the same earlier, but it may not be installed.
    """
    for field, template in _templates(spec):
        if refused := template_host_access(template, field):
            return refused
    return None


def template_host_access(template: Mapping[str, Any], field: str) -> Invalid | None:
    """The same for one pod template, which is at that field."""
    for where, what in _node_access(template.get("spec") or {}):
        return Invalid(
            field=f"{field}.spec.{where}",
            message=f"{what} gives access to the node, which the operator's configuration forbids",
            remedy="remove it, or ask for pods.hostAccess in the operator's configuration",
            reason="HostAccessRefused",
        )
    return None


def _templates(spec: Spec) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "spec.serving.template", spec.serving.template
    yield "spec.evaluation.job.template", spec.evaluation.job.get("template") or {}
    if spec.retrain is not None and spec.retrain.job is not None:
        yield "spec.retrain.job.template", spec.retrain.job.get("template") or {}


def _node_access(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _NAMESPACES:
        if pod.get(name):
            yield name, name
    for index, volume in enumerate(_maps(pod, "volumes")):
        if volume.get("hostPath") is not None:
            yield f"volumes[{index}].hostPath", "hostPath"
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(_maps(pod, kind)):
            if (container.get("securityContext") or {}).get("privileged"):
                yield f"{kind}[{index}].securityContext.privileged", "a privileged container"


def _maps(pod: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = pod.get(key)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
