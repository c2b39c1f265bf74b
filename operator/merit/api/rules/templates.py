"""Rules of pod templates, which the CRD's schema cannot check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import LABEL_PREFIX, RESERVED_ENV
from merit.api.quantity import InvalidValue, shown
from merit.api.spec import Spec


def check_job(job: Mapping[str, Any], field: str) -> None:
    """Check a JobSpec: only the fields that Merit uses, and a pod. Raises InvalidValue."""
    for key in job:
        if key not in ("template", "activeDeadlineSeconds", "backoffLimit"):
            raise InvalidValue(
                "cannot be set here",
                "use only template, activeDeadlineSeconds, backoffLimit",
                f"{field}.{shown(key)}",
            )
    for key, least in (("activeDeadlineSeconds", 1), ("backoffLimit", 0)):
        value = job.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            remedy = f"give a whole number from {least}"
            raise InvalidValue(f"{shown(value)} is not accepted here", remedy, f"{field}.{key}")
    containers(job.get("template"), f"{field}.template")


def check_labels(template: Any, field: str) -> None:
    """Check that no label is one of the operator: with it, the pod of an evaluation could be an
    endpoint of what serves. Raises InvalidValue.
    """
    meta = template.get("metadata") if isinstance(template, Mapping) else None
    labels = meta.get("labels") if isinstance(meta, Mapping) else None
    for name in labels if isinstance(labels, Mapping) else ():
        if isinstance(name, str) and name.startswith(LABEL_PREFIX):
            raise InvalidValue(
                f'"{shown(name)}" is set by the operator',
                f"choose a label that does not begin with {LABEL_PREFIX}",
                f"{field}.metadata.labels",
            )


def containers(template: Any, field: str) -> list[dict[str, Any]]:
    """The containers of a pod template. Raises InvalidValue for a malformed one, and for labels
    and environment variables that the operator reserves.
    """
    check_labels(template, field)
    pod = template.get("spec") if isinstance(template, dict) else None
    listed = pod.get("containers") if isinstance(pod, dict) else None
    if not isinstance(pod, dict) or not isinstance(listed, list) or not listed:
        remedy = "give a PodTemplateSpec: spec: {containers: [...]}"
        raise InvalidValue("has no containers", remedy, f"{field}.spec.containers")
    for kind in ("initContainers", "containers"):
        entries = pod.get(kind, [])
        for i, container in enumerate(entries if isinstance(entries, list) else []):
            where = f"{field}.spec.{kind}[{i}]"
            if not isinstance(container, dict):
                raise InvalidValue("is not a container", "give a map with name and image", where)
            env = container.get("env")
            for j, entry in enumerate(env if isinstance(env, list) else []):
                name = entry.get("name") if isinstance(entry, dict) else None
                if isinstance(name, str) and name.startswith(RESERVED_ENV):
                    raise InvalidValue(
                        f"{shown(name)} is set by the operator",
                        f"choose a name that does not begin with {RESERVED_ENV}",
                        f"{where}.env[{j}].name",
                    )
    return listed


def check_serving(spec: Spec) -> None:
    """Check that there is one serving container, with a readiness probe. Raises InvalidValue."""
    field = "serving.template"
    listed = containers(spec.serving.template, field)
    port = spec.serving.port
    index = 0
    if len(listed) > 1:
        matching = [i for i, c in enumerate(listed) if port in _ports(c)]
        if len(matching) != 1:
            raise InvalidValue(
                f"port {port} is named by {len(matching)} of {len(listed)} containers",
                f"give the server's container ports: [{{containerPort: {port}}}]",
                "serving.port",
            )
        index = matching[0]
    if not isinstance(listed[index].get("readinessProbe"), dict):
        raise InvalidValue(
            "is missing, so traffic would arrive before the model is loaded",
            f"add a readinessProbe, as httpGet: {{path: /ready, port: {port}}}",
            f"{field}.spec.containers[{index}].readinessProbe",
        )


def _ports(container: dict[str, Any]) -> list[Any]:
    ports = container.get("ports")
    if not isinstance(ports, list):
        return []
    return [p.get("containerPort") for p in ports if isinstance(p, dict)]
