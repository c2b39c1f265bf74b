"""Pods and Service of one revision: made as recorded, scaled, removed."""

from __future__ import annotations

from merit.api.names import arm_name
from merit.policy.decision import EnsureArm, RemoveArm
from merit.reconciler.effects.hands import Hands, Object


async def ensure_arm(hands: Hands, action: EnsureArm) -> None:
    """Both objects stand as recorded; replicas change through scale only."""
    accepted = hands.seen.accepted[action.key]
    called = arm_name(hands.key.name, accepted.identity.short)
    known = hands.cache.get("Deployment", hands.key.namespace, called)
    wanted: Object = dict(accepted.deployment)
    if known is None:
        # Replicas are named when it is made, and afterwards only through scale.
        wanted = wanted | {"spec": {**wanted["spec"], "replicas": action.replicas}}
        await hands.create(wanted)
    else:
        await hands.stand(wanted)
        if int((known.get("spec") or {}).get("replicas", 1)) != action.replicas:
            await hands.cluster.scale(wanted, action.replicas)
    await hands.stand(dict(accepted.service))


async def remove_arm(hands: Hands, action: RemoveArm) -> None:
    """The Deployment last: after a crash it tells that there is more to remove."""
    called = arm_name(hands.key.name, action.short)
    await hands.remove("v1", "Service", called)
    await hands.remove("apps/v1", "Deployment", called)
