"""The objects of one revision: created as recorded, scaled, removed."""

from __future__ import annotations

from merit.api.names import revision_name
from merit.objects.scaling import autoscaler, disruption_budget
from merit.objects.workload import diverted_service
from merit.policy.state.decision import Divert, EnsureRevision, RemoveRevision
from merit.reconciler.effects.object_writer import Object, ObjectWriter

AUTOSCALER = ("autoscaling/v2", "HorizontalPodAutoscaler")
BUDGET = ("policy/v1", "PodDisruptionBudget")


async def ensure_revision(writer: ObjectWriter, action: EnsureRevision) -> None:
    """Make everything as recorded; replicas change through the scale subresource only.

    An autoscaler that is no longer wanted is removed first: otherwise it would undo the scaling.
    """
    accepted = writer.seen.recorded.accepted[action.key]
    short, key = accepted.identity.short, writer.key
    name = revision_name(key.name, short)
    if action.scaling is None:
        await writer.remove(*AUTOSCALER, name)
    known = writer.cache.get("Deployment", key.namespace, name)
    wanted: Object = dict(accepted.deployment)
    if known is None:
        # Replicas are set here once, and afterwards only through scale.
        first = action.replicas if action.replicas is not None else 1
        wanted = wanted | {"spec": {**wanted["spec"], "replicas": first}}
        await writer.create(wanted)
    else:
        await writer.ensure(wanted)
        current = int((known.get("spec") or {}).get("replicas", 1))
        if action.replicas is not None and current != action.replicas:
            await writer.cluster.scale(wanted, action.replicas)
    await writer.ensure(dict(accepted.service))
    if action.scaling is not None:
        least, most = action.scaling
        await writer.ensure(
            autoscaler(
                key.name, key.namespace, writer.owner, accepted.spec, short, least=least, most=most
            )
        )
    if action.budget:
        await writer.ensure(disruption_budget(key.name, key.namespace, writer.owner, short))
    else:
        await writer.remove(*BUDGET, name)


async def remove_revision(writer: ObjectWriter, action: RemoveRevision) -> None:
    """The autoscaler first, or it would scale what is being removed; the Deployment last.

    After a crash, what is left shows that there is more to remove.
    """
    name = revision_name(writer.key.name, action.short)
    await writer.remove(*AUTOSCALER, name)
    await writer.remove(*BUDGET, name)
    await writer.remove("v1", "Service", name)
    await writer.remove("apps/v1", "Deployment", name)


async def divert(writer: ObjectWriter, action: Divert) -> None:
    """Let a revision's Service select another's pods: a rollback whose route cannot be written."""
    key, to = writer.key, writer.seen.recorded.accepted[action.to]
    name = revision_name(key.name, action.short)
    standing = writer.cache.get("Service", key.namespace, name)
    ports = ((standing or {}).get("spec") or {}).get("ports") or ()
    port = ports[0]["port"] if ports else to.spec.serving.port
    await writer.ensure(
        diverted_service(
            key.name, key.namespace, writer.owner, port, action.short, to.spec, to.identity.short
        )
    )
