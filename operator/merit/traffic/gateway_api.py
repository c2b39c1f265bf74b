"""Gateway API: the weights of an HTTPRoute that belongs to Merit alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from merit.api.hashing import content_hash
from merit.api.names import revision_name
from merit.objects.workload import Object, front_service, labels, metadata, stamped
from merit.policy.state.observed import Route
from merit.traffic.router import RouterState, Split

API_VERSION = "gateway.networking.k8s.io/v1"
# Of a route that is accepted whole. A rule that an older route has makes it partially invalid.
_ACCEPTED = {"Accepted": "True", "ResolvedRefs": "True", "PartiallyInvalid": "False"}
ANNOUNCED = "merit-announced"  # the header of a rule that exists only for its backends


class GatewayApi:
    """An HTTPRoute for requests through the Gateway; callers inside get the stable revision."""

    kinds = ("HTTPRoute", "Service")

    def render(self, split: Split) -> tuple[Object, ...]:
        """The route first: a rollback moves the users' traffic with the first write."""
        port, users = split.ports[split.serves], split.route.metadata
        inside = front_service(split.name, split.namespace, split.owner, port, split.serves, users)
        return (http_route(split), inside)

    def read(self, state: RouterState) -> Route:
        """The weights of the route, and whether its gateway accepted it."""
        route = state.objects.get("HTTPRoute")
        if route is None:
            return Route()
        accepted, reason = acceptance_of(route)
        weights, named = weights_of(route), announced_in(route)
        return Route(
            exists=True,
            weights=weights,
            accepted=accepted,
            reason=reason,
            announced=named - set(weights),
            serves=next(iter(named & set(weights)), ""),  # of those with a share, it alone
        )


def http_route(split: Split) -> Object:
    """The route.

    A listed backend may keep sticky clients whatever its weight. So a revision without weight is
    not listed where requests go; it may be announced in a rule of its own.
    """
    weights = {short: weight for short, weight in sorted(split.weights.items()) if weight > 0}
    base = _base(split)
    declared = [rule for rule in base.get("rules") or [{}] if not _announces(rule)]
    rules = [_rule(rule, _backends(split, weights)) for rule in declared]
    # The one that serves, too: while an older route still gets its requests, nothing else may make
    # its backend known to the gateway, and the hand-over must have no gap.
    rules.append(_announcement(split, sorted({split.serves} | split.announced - set(weights))))
    spec = {part: base[part] for part in ("parentRefs", "hostnames") if base.get(part)}
    spec["rules"] = rules
    return stamped(
        {
            "apiVersion": API_VERSION,
            "kind": "HTTPRoute",
            "metadata": metadata(
                split.name, split.namespace, split.owner, labels(split.name), split.route.metadata
            ),
            "spec": spec,
        }
    )


def _backends(split: Split, weights: Mapping[str, int]) -> list[Object]:
    return [
        {
            "group": "",
            "kind": "Service",
            "name": revision_name(split.name, short),
            "port": split.ports[short],
            "weight": weight,
        }
        for short, weight in weights.items()
    ]


def _announcement(split: Split, revisions: Sequence[str]) -> Object:
    """A rule that no request matches: only a reader of the route knows the header's value."""
    secret = content_hash([split.namespace, split.name, split.owner["uid"]])[3:35]
    header = {"type": "Exact", "name": ANNOUNCED, "value": secret}
    match = {"path": {"type": "PathPrefix", "value": "/"}, "headers": [header]}
    return {"matches": [match], "backendRefs": _backends(split, dict.fromkeys(revisions, 1))}


def _announces(rule: Mapping[str, Any]) -> bool:
    return any(
        header.get("name") == ANNOUNCED
        for match in rule.get("matches") or ()
        for header in match.get("headers") or ()
    )


def _base(split: Split) -> Mapping[str, Any]:
    if split.existing is not None:
        spec: Mapping[str, Any] = split.existing["spec"]
        return spec
    assert split.route.gateway is not None, "a route of this kind is declared or exists"
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
    forwarding = (
        rule["backendRefs"] for rule in rules if rule.get("backendRefs") and not _announces(rule)
    )
    refs: list[Object] = next(forwarding, [])
    return {str(r["name"])[-8:]: int(r.get("weight", 1)) for r in refs if r.get("weight", 1) > 0}


def announced_in(route: Mapping[str, Any]) -> frozenset[str]:
    """The 8 characters of each revision that is announced."""
    rules = (route.get("spec") or {}).get("rules") or []
    refs = [ref for rule in rules if _announces(rule) for ref in rule.get("backendRefs") or ()]
    return frozenset(str(ref["name"])[-8:] for ref in refs)


def acceptance_of(route: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether the gateway accepted the route at its generation, and its message if not."""
    generation = route["metadata"].get("generation", 0)
    parents = (route.get("status") or {}).get("parents") or []
    answers = [
        condition
        for parent in parents
        for condition in parent.get("conditions") or []
        if condition.get("type") in _ACCEPTED
        and condition.get("observedGeneration", generation) >= generation
    ]
    if not any(a["type"] == "Accepted" for a in answers):
        return None, ""
    refused = [a for a in answers if a.get("status") != _ACCEPTED[a["type"]]]
    if refused:
        return False, f"{refused[0].get('reason', '')}: {refused[0].get('message', '')}"[:256]
    return True, ""
