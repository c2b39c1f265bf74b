"""The route, and the Service of the callers inside: one decisive step of two writes."""

from __future__ import annotations

from merit.api.names import arm_name
from merit.api.spec import Spec
from merit.children.workload import front_service
from merit.policy.decision import SetTraffic
from merit.reconciler.effects.hands import Hands, NotReady
from merit.reconciler.render import render_route


async def set_traffic(hands: Hands, action: SetTraffic) -> None:
    """Set the weights. NotReady if an arm that rises has no ready endpoint at this very moment."""
    for short in action.check_ready:
        if not await ready_endpoints(hands, short):
            raise NotReady(f"{arm_name(hands.key.name, short)} has no ready endpoint")
    seen, key = hands.seen, hands.key
    spec = _spec(hands, action.key)
    await hands.stand(render_route(key, seen.uid, spec, action.weights, seen.accepted))
    await hands.stand(
        front_service(key.name, key.namespace, hands.owner, spec.serving.port, action.serves)
    )


def _spec(hands: Hands, key: str) -> Spec:
    """The spec that the route is rendered from. NotReady if there is none.

    A lost record must not keep traffic from being taken back: any other one names the gateway too.
    """
    accepted = hands.seen.accepted
    if key in accepted:
        return accepted[key].spec
    if isinstance(hands.seen.spec, Spec):
        return hands.seen.spec
    raise NotReady(f"no record says how requests reach {hands.key.name}")


async def ready_endpoints(hands: Hands, short: str) -> int:
    """Endpoints of one revision that are ready, from the API server and not from a cache."""
    slices = await hands.cluster.list(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        namespace=hands.key.namespace,
        labels=f"kubernetes.io/service-name={arm_name(hands.key.name, short)}",
    )
    return sum(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for found in slices
        for endpoint in found.get("endpoints") or ()
    )
