"""The declared spec goes on record, after the API server has agreed to what it would make."""

from __future__ import annotations

from merit.api.names import accepted_name
from merit.api.spec import Spec
from merit.api.validation import Invalid
from merit.children.job import evaluation_job
from merit.children.records import controller_revision
from merit.children.training import training_job
from merit.children.workload import arm_service, deployment
from merit.cluster.errors import ApiError, Conflict, Unreachable
from merit.reconciler.effects.hands import Hands, Object


async def accept(hands: Hands) -> None:
    """A strict dry-run of what would be made, then the immutable record of it."""
    seen, key = hands.seen, hands.key
    assert isinstance(seen.spec, Spec) and seen.identity is not None
    made = deployment(key.name, key.namespace, hands.owner, seen.spec, seen.identity)
    service = arm_service(key.name, key.namespace, hands.owner, seen.spec, seen.identity.short)
    job = evaluation_job(
        job=f"{key.name[:30]}-dry-run",
        name=key.name,
        namespace=key.namespace,
        owner=hands.owner,
        spec=seen.spec,
        revision=seen.identity.revision,
        short=seen.identity.short,
        nonce="0" * 16,
        image=seen.tuning.report_image,
    )
    checked = [("spec.serving.template", made), ("spec.evaluation.job", job)]
    if seen.spec.retrain is not None and seen.spec.retrain.job is not None:
        training = training_job(
            job=f"{key.name[:30]}-dry-run-retrain",
            name=key.name,
            namespace=key.namespace,
            owner=hands.owner,
            template=seen.spec.retrain.job,
            told={},
        )
        checked.append(("spec.retrain.job", training))
    for field, obj in checked:
        refused = await _dry_run(hands, field, obj)
        if refused is not None:
            hands.memory.refused = (seen.generation, refused)
            return
    record = controller_revision(
        name=key.name,
        namespace=key.namespace,
        owner=hands.owner,
        key=seen.identity.key,
        number=seen.generation,
        spec=hands.obj["spec"],
        deployment=made,
        service=service,
    )
    await hands.create(record)
    hands.memory.remember(key.name, accepted_name(key.name, seen.identity.key), record["data"])


async def _dry_run(hands: Hands, field: str, obj: Object) -> Invalid | None:
    try:
        await hands.cluster.create(obj, dry_run=True)
    except Conflict:
        return None  # it is there already: this template was taken before
    except Unreachable:
        raise
    except ApiError as error:
        if error.status not in (400, 403, 422):
            raise
        said = " ".join(str(error.message).split())[:600]
        return Invalid(field, f"the API server refuses it: {said}", "correct the template")
    return None
