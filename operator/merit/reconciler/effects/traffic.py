"""Sets the weights: writes the objects that the router of this kind of route renders."""

from __future__ import annotations

from collections.abc import Iterator

from merit.api.names import revision_name
from merit.api.spec import Spec
from merit.api.validation import Invalid
from merit.kube.errors import ApiError
from merit.policy.state.decision import SetTraffic
from merit.policy.state.route_kind import kind_in_force, route_in_force
from merit.reconciler.children import split_of
from merit.reconciler.effects.object_writer import NotReady, Object, ObjectWriter, one_line
from merit.traffic import ROUTERS

ROUTE_REMEDY = "correct it; new fields need a newer or experimental Gateway API"


async def set_traffic(writer: ObjectWriter, action: SetTraffic) -> None:
    """Set the weights. NotReady if a revision in `check_ready` has no ready endpoint now.

    A declared route that the API server refuses must not block a rollback: it is refused as a part
    of the spec, and the weights of the existing route are set.
    """
    for short in action.check_ready:
        if not await ready_endpoints(writer, short):
            raise NotReady(f"{revision_name(writer.key.name, short)} has no ready endpoint")
    seen, key = writer.seen, writer.key
    router = ROUTERS[
        kind_in_force(seen.status, seen.declared.spec, seen.recorded.accepted.get(action.key))
    ]
    announced = action.announced
    if announced is None:  # a revision that loses its share stays announced until it is gone
        announced = (seen.traffic.route.announced | set(seen.traffic.route.weights)) - set(
            action.weights
        )
    split = split_of(
        key,
        seen.uid,
        seen.recorded.accepted,
        spec=_spec(writer, action.key),
        route=route_in_force(seen),
        existing=writer.cache.get(router.kinds[0], key.namespace, key.name),
        weights=action.weights,
        serves=action.serves,
        announced=announced,
    )
    try:
        for obj in router.render(split):
            # A candidate's share rises only from the version that was seen: a leader that was
            # stopped for a while must not undo a rollback of the next one.
            await writer.ensure(obj, strictly=action.raises)
    except ApiError as error:
        if error.status not in (400, 422) or route_in_force(seen) is None:
            raise
        message = f"the API server refuses it: {one_line(error)}"
        refused = Invalid("spec.rollout.route.gateway", message, ROUTE_REMEDY)
        writer.memory.refused = (seen.generation, refused, writer.now)
        raise NotReady(f"the declared route is refused: {error.message}") from error
    known = writer.memory.announced
    writer.memory.announced = {s: known.get(s, writer.now) for s in (*action.weights, *announced)}


def _spec(writer: ObjectWriter, key: str) -> Spec:
    """The spec that the route is rendered from. NotReady if there is none.

    A lost record must not block a rollback: the declared spec names the gateway too, and so does
    any other record.
    """
    accepted = writer.seen.recorded.accepted
    if key in accepted:
        return accepted[key].spec
    if isinstance(writer.seen.declared.spec, Spec):
        return writer.seen.declared.spec
    if accepted:
        return next(iter(accepted.values())).spec
    raise NotReady(f"no record says how requests reach {writer.key.name}")


async def ready_endpoints(writer: ObjectWriter, short: str) -> int:
    """How many endpoints of one revision are ready, from the API server and not from the cache."""
    return sum(1 for part in await _slices(writer, short) for _ in _ready(part))


async def ready_addresses(writer: ObjectWriter, short: str) -> tuple[str, ...]:
    """An address of each ready pod of one revision; of two address families the first."""
    families: dict[str, list[str]] = {}
    for part in await _slices(writer, short):
        addresses = families.setdefault(str(part.get("addressType", "IPv4")), [])
        addresses += [e["addresses"][0] for e in _ready(part) if e.get("addresses")]
    return tuple(sorted(families[min(families)])) if families else ()


def _ready(endpoint_slice: Object) -> Iterator[Object]:
    for endpoint in endpoint_slice.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            yield endpoint


async def _slices(writer: ObjectWriter, short: str) -> list[Object]:
    return await writer.cluster.list(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        namespace=writer.key.namespace,
        labels=f"kubernetes.io/service-name={revision_name(writer.key.name, short)}",
    )
