"""Gateway API: shares of traffic as the weights of an HTTPRoute that Merit owns whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import arm_name
from merit.children.workload import Object, front_service, labels, metadata, stamped
from merit.policy.observed import Route
from merit.traffic.router import Split, Standing

API_VERSION = "gateway.networking.k8s.io/v1"


class GatewayApi:
    """An HTTPRoute for what comes through the Gateway; callers inside get the stable revision."""

    kinds = ("HTTPRoute", "Service")

    def render(self, split: Split) -> tuple[Object, ...]:
        """The route first: a rollback moves the users' traffic with the first write."""
        port = split.ports[split.serves]
        inside = front_service(split.name, split.namespace, split.owner, port, split.serves)
        return (http_route(split), inside)

    def read(self, standing: Standing) -> Route:
        """The weights of the route, and whether its gateway took it."""
        route = standing.objects.get("HTTPRoute")
        if route is None:
            return Route()
        accepted, reason = answer_of(route)
        return Route(exists=True, weights=weights_of(route), accepted=accepted, reason=reason)


def http_route(split: Split) -> Object:
    """The route.

    A backend that is listed may keep sticky clients whatever its weight, so an arm without
    weight is not listed at all.
    """
    backends = [
        {
            "group": "",
            "kind": "Service",
            "name": arm_name(split.name, short),
            "port": split.ports[short],
            "weight": weight,
        }
        for short, weight in sorted(split.weights.items())
        if weight > 0
    ]
    plain = _plain(split)
    rules = [_rule(rule, backends) for rule in plain.get("rules") or [{}]]
    spec = {part: plain[part] for part in ("parentRefs", "hostnames") if plain.get(part)}
    spec["rules"] = rules
    return stamped(
        {
            "apiVersion": API_VERSION,
            "kind": "HTTPRoute",
            "metadata": metadata(split.name, split.namespace, split.owner, labels(split.name)),
            "spec": spec,
        }
    )


def _plain(split: Split) -> Mapping[str, Any]:
    if split.standing is not None:
        standing: Mapping[str, Any] = split.standing["spec"]
        return standing
    assert split.route.gateway is not None, "a route of this kind is declared or stands"
    return split.route.gateway.model_dump(by_alias=True, exclude_none=True, mode="json")


def _rule(rule: Mapping[str, Any], backends: list[Object]) -> Object:
    """No backends for a redirect: Gateway API refuses a rule that both redirects and forwards."""
    kept = {part: value for part, value in rule.items() if part != "backendRefs"}
    filters = rule.get("filters") or ()
    if any(entry.get("type") == "RequestRedirect" for entry in filters):
        return kept
    return kept | {"backendRefs": backends}


def weights_of(route: Mapping[str, Any]) -> dict[str, int]:
    """The weight of each revision's 8 characters, from the first rule that forwards."""
    rules = (route.get("spec") or {}).get("rules") or []
    forwarding = (rule["backendRefs"] for rule in rules if rule.get("backendRefs"))
    refs: list[Object] = next(forwarding, [])
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
