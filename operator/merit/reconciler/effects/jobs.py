"""Jobs of the gates, and the record that each finished one leaves."""

from __future__ import annotations

from merit.children.job import evaluation_job
from merit.children.load_job import load_job
from merit.children.records import stage_record
from merit.children.workload import pull_secrets
from merit.evidence.cost import Unpriced
from merit.policy.decision import Record, RunJob
from merit.policy.feasibility.load_run import demand_of, order_of
from merit.reconciler.effects.hands import Hands, NotReady
from merit.reconciler.effects.traffic import ready_addresses


async def run_job(hands: Hands, action: RunJob) -> None:
    """Start the gate's Job, unless it exists."""
    if action.stage == "Feasibility":
        await _put_under_load(hands, action)
    else:
        await _evaluate(hands, action)


async def _evaluate(hands: Hands, action: RunJob) -> None:
    accepted = hands.seen.accepted[action.key]
    stable = hands.seen.accepted.get(action.stable_key)
    await hands.create(
        evaluation_job(
            job=action.name,
            name=hands.key.name,
            namespace=hands.key.namespace,
            owner=hands.owner,
            spec=accepted.spec,
            revision=accepted.identity.revision,
            short=accepted.identity.short,
            nonce=action.nonce,
            stable=(stable.identity.revision, stable.spec.model.uri) if stable else ("", ""),
            image=hands.seen.tuning.report_image,
        )
    )


async def _put_under_load(hands: Hands, action: RunJob) -> None:
    """The generator is told each ready pod by its address, so that all of them share the load.

    Through the Service its few kept-alive connections would mostly meet one of them.
    """
    accepted, tuning = hands.seen.accepted[action.key], hands.seen.tuning
    spec, short = accepted.spec, accepted.identity.short
    demand = demand_of(spec, tuning.prices)
    if isinstance(demand, Unpriced):
        raise NotReady(demand.message)
    port = spec.serving.port
    found = await ready_addresses(hands, short)
    if len(found) < demand.replicas_min:
        raise NotReady(f"{len(found)} of {demand.replicas_min} pods of {short} are endpoints yet")
    targets = tuple(f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}" for ip in found)
    await hands.create(
        load_job(
            job=action.name,
            name=hands.key.name,
            namespace=hands.key.namespace,
            owner=hands.owner,
            image=tuning.load_image,
            order=order_of(spec, demand, targets, tuning.counters),
            revision=accepted.identity.revision,
            short=short,
            nonce=action.nonce,
            port=port,
            secrets=pull_secrets(spec.serving.template),
        )
    )


async def record(hands: Hands, action: Record) -> None:
    """Write the immutable record of a finished run."""
    await hands.create(
        stage_record(
            record=action.name,
            name=hands.key.name,
            namespace=hands.key.namespace,
            owner=hands.owner,
            content=action.content,
        )
    )
