"""The Jobs of the gates: an evaluation, or a load test."""

from __future__ import annotations

from merit.objects.evaluation_job import evaluation_job
from merit.objects.load_job import load_job
from merit.objects.workload import pull_secrets
from merit.policy.gates.feasibility.demand import demand_of
from merit.policy.gates.feasibility.load_order import order_of
from merit.policy.state.decision import RunJob
from merit.policy.state.prices import Unpriced
from merit.reconciler.effects.object_writer import NotReady, ObjectWriter
from merit.reconciler.effects.traffic import ready_addresses


async def run_job(writer: ObjectWriter, action: RunJob) -> None:
    """Start the gate's Job, unless it exists."""
    if action.stage == "Feasibility":
        await _test_load(writer, action)
    else:
        await _evaluate(writer, action)


async def _evaluate(writer: ObjectWriter, action: RunJob) -> None:
    accepted = writer.seen.recorded.accepted[action.key]
    stable = writer.seen.recorded.accepted.get(action.stable_key)
    await writer.create(
        evaluation_job(
            job=action.name,
            **writer.parent,
            spec=accepted.spec,
            revision=accepted.identity.revision,
            short=accepted.identity.short,
            nonce=action.nonce,
            stable=(stable.identity.revision, stable.spec.model.uri) if stable else ("", ""),
            image=writer.seen.tuning.report_image,
        )
    )


async def _test_load(writer: ObjectWriter, action: RunJob) -> None:
    """The generator gets the address of each ready pod, so that all of them share the load.

    Through the Service, its few kept-alive connections would mostly reach one pod.
    """
    accepted, tuning = writer.seen.recorded.accepted[action.key], writer.seen.tuning
    spec, short = accepted.spec, accepted.identity.short
    demand = demand_of(spec, tuning.prices)
    if isinstance(demand, Unpriced):
        raise NotReady(demand.message)
    port = spec.serving.port
    ips = await ready_addresses(writer, short)
    if len(ips) < demand.replicas_min:
        raise NotReady(f"{len(ips)} of {demand.replicas_min} pods of {short} are endpoints yet")
    targets = tuple(f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}" for ip in ips)
    await writer.create(
        load_job(
            job=action.name,
            **writer.parent,
            image=tuning.load_image,
            order=order_of(spec, demand, targets, tuning.counters),
            revision=accepted.identity.revision,
            short=short,
            nonce=action.nonce,
            port=port,
            secrets=pull_secrets(spec.serving.template),
        )
    )
