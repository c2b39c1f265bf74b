"""What one revision has: made as recorded, scaled, removed."""

from __future__ import annotations

from merit.api.names import arm_name
from merit.children.scaling import autoscaler, disruption_budget
from merit.children.workload import diverted_service
from merit.policy.decision import Divert, EnsureArm, RemoveArm
from merit.reconciler.effects.hands import Hands, Object

AUTOSCALER = ("autoscaling/v2", "HorizontalPodAutoscaler")
BUDGET = ("policy/v1", "PodDisruptionBudget")


async def ensure_arm(hands: Hands, action: EnsureArm) -> None:
    """Everything stands as recorded; replicas change through scale only.

    An autoscaler that is to go goes first: otherwise it would undo the scaling.
    """
    accepted = hands.seen.accepted[action.key]
    short, key = accepted.identity.short, hands.key
    called = arm_name(key.name, short)
    if action.scaling is None:
        await hands.remove(*AUTOSCALER, called)
    known = hands.cache.get("Deployment", key.namespace, called)
    wanted: Object = dict(accepted.deployment)
    if known is None:
        # Replicas are named when it is made, and afterwards only through scale.
        first = action.replicas if action.replicas is not None else 1
        wanted = wanted | {"spec": {**wanted["spec"], "replicas": first}}
        await hands.create(wanted)
    else:
        await hands.stand(wanted)
        current = int((known.get("spec") or {}).get("replicas", 1))
        if action.replicas is not None and current != action.replicas:
            await hands.cluster.scale(wanted, action.replicas)
    await hands.stand(dict(accepted.service))
    if action.scaling is not None:
        least, most = action.scaling
        await hands.stand(
            autoscaler(
                key.name, key.namespace, hands.owner, accepted.spec, short, least=least, most=most
            )
        )
    if action.budget:
        await hands.stand(disruption_budget(key.name, key.namespace, hands.owner, short))
    else:
        await hands.remove(*BUDGET, called)


async def remove_arm(hands: Hands, action: RemoveArm) -> None:
    """The autoscaler first, or it would scale what is going; the Deployment last.

    After a crash, whatever is left tells that there is more to remove.
    """
    called = arm_name(hands.key.name, action.short)
    await hands.remove(*AUTOSCALER, called)
    await hands.remove(*BUDGET, called)
    await hands.remove("v1", "Service", called)
    await hands.remove("apps/v1", "Deployment", called)


async def divert(hands: Hands, action: Divert) -> None:
    """The second path of a rollback whose route cannot be written."""
    key, to = hands.key, hands.seen.accepted[action.to]
    called = arm_name(key.name, action.short)
    standing = hands.cache.get("Service", key.namespace, called)
    ports = ((standing or {}).get("spec") or {}).get("ports") or ()
    port = ports[0]["port"] if ports else to.spec.serving.port
    await hands.stand(
        diverted_service(
            key.name, key.namespace, hands.owner, port, action.short, to.spec, to.identity.short
        )
    )
