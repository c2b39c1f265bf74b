"""Records that nothing refers to any more go."""

from __future__ import annotations

from merit.policy.decision import Forget
from merit.reconciler.effects.hands import Hands
from merit.reconciler.filing import APIS


async def forget(hands: Hands, action: Forget) -> None:
    """Delete that very object; one that is gone already is fine."""
    filing, kind, name = hands.memory.filing, action.kind, action.name
    uid = filing.uid(kind, name)
    if not uid:
        return
    place = {"name": name, "namespace": hands.key.namespace}
    ref = {"apiVersion": APIS[kind], "kind": kind, "metadata": place}
    await hands.cluster.delete(ref, uid=uid)
    filing.drop(kind, name)
    if kind == "ControllerRevision":
        hands.memory.forget(name)
