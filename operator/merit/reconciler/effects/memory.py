"""What outlives a verdict: the pin in spec, and the ledger that outlives the object."""

from __future__ import annotations

from merit.api.hashing import content_hash
from merit.api.names import KIND, ledger_name
from merit.children.records import ledger_map
from merit.policy.decision import WriteLedger, WritePin
from merit.reconciler.effects.hands import QUICK, Foreign, Hands
from merit.reconciler.memory import is_ledger


async def write_pin(hands: Hands, action: WritePin) -> None:
    """Apply `spec.rollback`, all of it, to the very version that was seen."""
    body = hands.ref()
    body["metadata"] = {
        **body["metadata"],
        "uid": hands.seen.uid,
        "resourceVersion": hands.obj["metadata"]["resourceVersion"],
    }
    body["spec"] = {"rollback": dict(action.pin)}
    hands.cache.put(KIND, await hands.cluster.apply(body, timeout=QUICK))
    hands.memory.wrote_pin(action.pin, hands.now)


async def clear_pin(hands: Hands) -> None:
    """A merge patch with null: it works with a co-owner, too."""
    version = {"resourceVersion": hands.obj["metadata"]["resourceVersion"]}
    body = {"metadata": version, "spec": {"rollback": None}}
    hands.cache.put(KIND, await hands.cluster.patch(hands.ref(), body, timeout=QUICK))


async def write_ledger(hands: Hands, action: WriteLedger) -> None:
    """The ConfigMap as status has it; made if it is missing."""
    key, content = hands.key, action.content
    wanted = ledger_map(name=key.name, namespace=key.namespace, content=content)
    found = await hands.cluster.get("v1", "ConfigMap", key.namespace, ledger_name(key.name))
    if found is None:
        await hands.cluster.create(wanted)
    elif not is_ledger(found, key):
        raise Foreign(f"ConfigMap {ledger_name(key.name)} belongs to somebody else")
    else:
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        await hands.cluster.patch(wanted, {"metadata": version, "data": wanted["data"]})
    hands.memory.ledger = wanted  # a status that is lost later is restored from what stands
    hands.memory.ledger_hash = content_hash(dict(content))
