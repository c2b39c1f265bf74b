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
from merit.traffic.gateway_api import http_route
from merit.traffic.router import Split


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
    checked += [("spec.rollout.route.gateway", route) for route in _routes(hands, seen.spec)]
    for field, obj in checked:
        refused = await _dry_run(hands, field, obj)
        if refused is not None:
            hands.memory.refused = (seen.generation, refused, hands.now)
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


def _routes(hands: Hands, spec: Spec) -> list[Object]:
    """The route that would be made, where a gateway is declared."""
    if spec.rollout.route.gateway is None:
        return []
    assert hands.seen.identity is not None
    short = hands.seen.identity.short
    return [
        http_route(
            Split(
                name=hands.key.name,
                namespace=hands.key.namespace,
                owner=hands.owner,
                route=spec.rollout.route,
                weights={short: 100},
                serves=short,
                ports={short: spec.serving.port},
            )
        )
    ]


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
        remedy = "correct the template"
        if obj["kind"] == "HTTPRoute":
            remedy = "correct matches, filters and timeouts"
        return Invalid(field, f"the API server refuses it: {said}", remedy)
    return None
