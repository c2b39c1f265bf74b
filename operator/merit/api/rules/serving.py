"""Which container serves, and how it says that it is ready."""

from __future__ import annotations

from typing import Any

from merit.api.quantity import Refused
from merit.api.rules.templates import containers
from merit.api.spec import Spec


def check_serving(spec: Spec) -> None:
    """The serving container and its probe. Raises Refused."""
    field = "serving.template"
    found = containers(spec.serving.template, field)
    port = spec.serving.port
    index = 0
    if len(found) > 1:
        matching = [i for i, c in enumerate(found) if port in _ports(c)]
        if len(matching) != 1:
            raise Refused(
                f"port {port} is named by {len(matching)} of {len(found)} containers",
                f"give the server's container ports: [{{containerPort: {port}}}]",
                "serving.port",
            )
        index = matching[0]
    if not isinstance(found[index].get("readinessProbe"), dict):
        raise Refused(
            "is missing, so traffic would arrive before the model is loaded",
            f"add a readinessProbe, as httpGet: {{path: /ready, port: {port}}}",
            f"{field}.spec.containers[{index}].readinessProbe",
        )


def _ports(container: dict[str, Any]) -> list[Any]:
    ports = container.get("ports")
    return (
        [p.get("containerPort") for p in ports if isinstance(p, dict)]
        if (isinstance(ports, list))
        else []
    )
