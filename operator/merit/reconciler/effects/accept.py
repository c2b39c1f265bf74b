"""Records the declared spec, once a dry-run shows that the API server accepts its objects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

from merit.api.hashing import Identity
from merit.api.names import accepted_name
from merit.api.spec import Spec
from merit.api.validation import Invalid
from merit.kube.errors import ApiError, Conflict, Unreachable
from merit.objects.evaluation_job import evaluation_job
from merit.objects.records import controller_revision
from merit.objects.training_job import training_job
from merit.objects.workload import deployment, revision_service
from merit.policy.state.decision import Forget
from merit.reconciler.effects.object_writer import NotReady, Object, ObjectWriter, one_line
from merit.reconciler.effects.records import forget
from merit.reconciler.effects.traffic import ROUTE_REMEDY
from merit.traffic.gateway_api import http_route
from merit.traffic.router import Split

NOT_SEEN_YET = "no params found for policy binding"
"""Of the chart's policy that asks for a ModelDeployment in the namespace: its own cache is late."""
LARGEST = 1 << 20
"""Bytes of a record: etcd takes 1.5 MiB by default, managed fields included."""


async def accept(writer: ObjectWriter) -> None:
    """A strict dry-run of what would be created, then the immutable record of the spec."""
    declared, key, generation = writer.seen.declared, writer.key, writer.seen.generation
    spec, identity = declared.spec, declared.identity
    assert isinstance(spec, Spec) and identity is not None
    same = (a for a in writer.seen.recorded.accepted.values() if a.identity.short == identity.short)
    if (before := next(same, None)) is not None:
        made = dict(before.deployment)  # edited bars restart no pod, after an upgrade neither
    else:
        made = deployment(key.name, key.namespace, writer.owner, spec, identity)
    service = revision_service(key.name, key.namespace, writer.owner, spec, identity.short)
    drafts = (("spec.serving.template", made), *_others(writer, spec, identity))
    answers = await asyncio.gather(*(_dry_run(writer, field, obj) for field, obj in drafts))
    refused = next((answer for answer in answers if answer is not None), None)
    if refused is not None:
        writer.memory.refused = (generation, refused, writer.now)
        return
    record = controller_revision(
        **writer.parent,
        key=identity.key,
        number=generation,
        spec=writer.obj["spec"],
        deployment=made,
        service=service,
    )
    size = len(json.dumps(record, separators=(",", ":")))
    if size > LARGEST:
        much = f"its record would have {size >> 10} KiB, more than {LARGEST >> 10} KiB"
        remedy = "move large parts of the templates into ConfigMaps"
        writer.memory.refused = (generation, Invalid("spec", much, remedy), writer.now)
        return
    await _remove_unreadable(writer, record["metadata"]["name"])
    await writer.create(record)
    writer.memory.add_record(key.name, accepted_name(key.name, identity.key), record["data"])


async def _remove_unreadable(writer: ObjectWriter, name: str) -> None:
    """A record of that name exists, and could not be read, or nothing would be accepted now."""
    if writer.memory.record_index.uid("ControllerRevision", name):
        await forget(writer, Forget("ControllerRevision", name))


def _others(writer: ObjectWriter, spec: Spec, identity: Identity) -> Iterator[tuple[str, Object]]:
    """What would be created later, each with the field of the spec that it comes from."""
    key, short = writer.key, identity.short
    yield (
        "spec.evaluation.job",
        evaluation_job(
            job=f"{key.name[:30]}-dry-run",
            **writer.parent,
            spec=spec,
            revision=identity.revision,
            short=short,
            nonce="0" * 16,
            image=writer.seen.tuning.report_image,
        ),
    )
    if spec.retrain is not None and spec.retrain.job is not None:
        yield (
            "spec.retrain.job",
            training_job(
                job=f"{key.name[:30]}-dry-run-retrain",
                **writer.parent,
                template=spec.retrain.job,
                env={},
            ),
        )
    if spec.rollout.route.gateway is not None:
        split = Split(
            **writer.parent,
            route=spec.rollout.route,
            weights={short: 100},
            serves=short,
            ports={short: spec.serving.port},
        )
        yield "spec.rollout.route.gateway", http_route(split)


async def _dry_run(writer: ObjectWriter, field: str, obj: Object) -> Invalid | None:
    try:
        await writer.cluster.create(obj, dry_run=True)
    except Conflict:
        return None  # it exists already: this template was accepted before
    except Unreachable:
        raise
    except ApiError as error:
        if error.status not in (400, 403, 422):
            raise
        if NOT_SEEN_YET in error.message:
            raise NotReady("the admission policy has not seen the ModelDeployment yet") from error
        remedy = ROUTE_REMEDY if obj["kind"] == "HTTPRoute" else "correct the template"
        return Invalid(field, f"the API server refuses it: {one_line(error)}", remedy)
    return None
