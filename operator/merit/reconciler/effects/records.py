"""Records and the pin: what is kept when the pods of a revision, or the object itself, are gone."""

from __future__ import annotations

from merit.api.hashing import content_hash
from merit.api.names import ledger_name
from merit.objects.records import ledger_map, stage_record
from merit.policy.state.decision import Forget, Record, WriteLedger, WritePin
from merit.reconciler.effects.object_writer import QUICK, Foreign, ObjectWriter
from merit.reconciler.memory import is_ledger
from merit.reconciler.record_index import APIS


async def record(writer: ObjectWriter, action: Record) -> None:
    """Write the immutable record of a finished run of a gate."""
    await writer.create(
        stage_record(
            record=action.name,
            **writer.parent,
            content=action.content,
        )
    )


async def forget(writer: ObjectWriter, action: Forget) -> None:
    """Delete a record that nothing refers to any more, by its uid; it may be gone already."""
    index, kind, name = writer.memory.record_index, action.kind, action.name
    uid = index.uid(kind, name)
    if not uid:
        return
    place = {"name": name, "namespace": writer.key.namespace}
    ref = {"apiVersion": APIS[kind], "kind": kind, "metadata": place}
    await writer.cluster.delete(ref, uid=uid)
    index.drop(kind, name)
    if kind == "ControllerRevision":
        writer.memory.drop_record(name)


async def write_pin(writer: ObjectWriter, action: WritePin) -> None:
    """Apply `spec.rollback`, all of it, to the version of the object that was seen."""
    body = writer.ref()
    body["metadata"] = {
        **body["metadata"],
        "uid": writer.seen.uid,
        "resourceVersion": writer.obj["metadata"]["resourceVersion"],
    }
    body["spec"] = {"rollback": dict(action.pin)}
    writer.keep_own(await writer.cluster.apply(body, timeout=QUICK))
    writer.memory.note_pin(action.pin, writer.now)


async def clear_pin(writer: ObjectWriter) -> None:
    """A merge patch with null: it also removes a pin that another manager owns too."""
    version = {"resourceVersion": writer.obj["metadata"]["resourceVersion"]}
    body = {"metadata": version, "spec": {"rollback": None}}
    writer.keep_own(await writer.cluster.patch(writer.ref(), body, timeout=QUICK))


async def write_ledger(writer: ObjectWriter, action: WriteLedger) -> None:
    """Make the ledger ConfigMap what status says; create it if it is missing."""
    key, content = writer.key, action.content
    wanted = ledger_map(name=key.name, namespace=key.namespace, content=content)
    found = await writer.cluster.get("v1", "ConfigMap", key.namespace, ledger_name(key.name))
    if found is None:
        await writer.cluster.create(wanted)
    elif not is_ledger(found, key):
        raise Foreign(f"ConfigMap {ledger_name(key.name)} belongs to somebody else")
    else:
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        await writer.cluster.patch(wanted, {"metadata": version, "data": wanted["data"]})
    writer.memory.ledger = wanted  # a status that is lost later is restored from this
    writer.memory.ledger_hash = content_hash(dict(content))
