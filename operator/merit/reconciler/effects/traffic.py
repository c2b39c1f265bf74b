"""What moves traffic, written as the router of this kind of route has it: one decisive step."""

from __future__ import annotations

from collections.abc import Iterator

from merit.api.names import arm_name
from merit.api.spec import Spec
from merit.api.validation import Invalid
from merit.cluster.errors import ApiError
from merit.policy.decision import SetTraffic
from merit.policy.standing.routes import kind_in_force, route_in_force
from merit.reconciler.effects.hands import Hands, NotReady, Object
from merit.reconciler.render import split_of
from merit.traffic import ROUTERS
from merit.traffic.gateway_api import API_VERSION


async def set_traffic(hands: Hands, action: SetTraffic) -> None:
    """Set the weights. NotReady if an arm that rises has no ready endpoint at this very moment.

    A declared route that the API server refuses must not hold up anything: it is refused as a part
    of the spec, and weights move on the route that stands.
    """
    for short in action.check_ready:
        if not await ready_endpoints(hands, short):
            raise NotReady(f"{arm_name(hands.key.name, short)} has no ready endpoint")
    seen, key = hands.seen, hands.key
    router = ROUTERS[kind_in_force(seen.status, seen.spec, seen.accepted.get(action.key))]
    announced = action.announced
    if announced is None:  # whatever loses its share now is known until it is gone
        announced = (seen.route.announced | set(seen.route.weights)) - set(action.weights)
    split = split_of(
        key,
        seen.uid,
        seen.accepted,
        spec=_spec(hands, action.key),
        route=route_in_force(seen),
        standing=hands.cache.get(router.kinds[0], key.namespace, key.name),
        weights=action.weights,
        serves=action.serves,
        announced=announced,
    )
    try:
        for obj in router.render(split):
            # A candidate's share rises from what was seen and from nothing else: a leader that was
            # stopped for a while must not give back what the next one took.
            await hands.stand(obj, strictly=action.raises)
    except ApiError as error:
        if error.status not in (400, 422) or route_in_force(seen) is None:
            raise
        hands.memory.refused = (seen.generation, refused_route(error), hands.now)
        raise NotReady(f"the declared route is refused: {error.message}") from error
    known = hands.memory.announced
    hands.memory.announced = {s: known.get(s, hands.now) for s in (*action.weights, *announced)}


def refused_route(error: ApiError) -> Invalid:
    """The API server's own sentence about the route."""
    said = " ".join(str(error.message).split())[:600]
    remedy = "correct matches, filters and timeouts"
    return Invalid("spec.rollout.route.gateway", f"the API server refuses it: {said}", remedy)


async def remove_route(hands: Hands) -> None:
    """Take the route away: what it claims is an older object's."""
    await hands.remove(API_VERSION, "HTTPRoute", hands.key.name)


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
    return sum(1 for found in await _slices(hands, short) for _ in _ready(found))


async def ready_addresses(hands: Hands, short: str) -> tuple[str, ...]:
    """An address of each ready pod of one revision; of two address families the first."""
    families: dict[str, list[str]] = {}
    for found in await _slices(hands, short):
        listed = families.setdefault(str(found.get("addressType", "IPv4")), [])
        listed += [e["addresses"][0] for e in _ready(found) if e.get("addresses")]
    return tuple(sorted(families[min(families)])) if families else ()


def _ready(found: Object) -> Iterator[Object]:
    for endpoint in found.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            yield endpoint


async def _slices(hands: Hands, short: str) -> list[Object]:
    return await hands.cluster.list(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        namespace=hands.key.namespace,
        labels=f"kubernetes.io/service-name={arm_name(hands.key.name, short)}",
    )
