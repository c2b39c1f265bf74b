"""Gateway API: shares of traffic as the weights of an HTTPRoute that Merit owns whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from merit.api.names import arm_name
from merit.api.rollout import GatewayRoute
from merit.children.workload import Object, labels, metadata, stamped

API_VERSION = "gateway.networking.k8s.io/v1"


def http_route(
    *,
    name: str,
    namespace: str,
    owner: Object,
    gateway: GatewayRoute,
    arms: Sequence[tuple[str, int, int]],
) -> Object:
    """The route. `arms`: (revision's 8 characters, weight in percent, port); weight 0 is left out.

    A backend that is listed may keep sticky clients whatever its weight, so an arm without
    weight is not listed at all.
    """
    backends = [
        {
            "group": "",
            "kind": "Service",
            "name": arm_name(name, short),
            "port": port,
            "weight": weight,
        }
        for short, weight, port in arms
        if weight > 0
    ]
    plain = gateway.model_dump(by_alias=True, exclude_none=True, mode="json")
    rules = [{**rule, "backendRefs": backends} for rule in plain.get("rules") or [{}]]
    spec: dict[str, Any] = {"parentRefs": plain["parentRefs"], "rules": rules}
    if plain.get("hostnames"):
        spec["hostnames"] = plain["hostnames"]
    return stamped(
        {
            "apiVersion": API_VERSION,
            "kind": "HTTPRoute",
            "metadata": metadata(name, namespace, owner, labels(name)),
            "spec": spec,
        }
    )


def weights_of(route: Mapping[str, Any]) -> dict[str, int]:
    """The weight of each revision's 8 characters, from the first rule of a route."""
    rules = (route.get("spec") or {}).get("rules") or []
    if not rules:
        return {}
    refs = rules[0].get("backendRefs") or []
    return {str(r["name"])[-8:]: int(r.get("weight", 1)) for r in refs if r.get("weight", 1) > 0}


def answer_of(route: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether the gateway accepted the route at its generation, and its words if it did not."""
    generation = route["metadata"].get("generation", 0)
    parents = (route.get("status") or {}).get("parents") or []
    answers = [
        condition
        for parent in parents
        for condition in parent.get("conditions") or []
        if condition.get("type") in ("Accepted", "ResolvedRefs")
        and condition.get("observedGeneration", generation) >= generation
    ]
    if not any(a["type"] == "Accepted" for a in answers):
        return None, ""
    refused = [a for a in answers if a.get("status") != "True"]
    if refused:
        return False, f"{refused[0].get('reason', '')}: {refused[0].get('message', '')}"[:256]
    return True, ""
