"""Jobs of the gates, and the record that each finished one leaves."""

from __future__ import annotations

from merit.children.job import evaluation_job
from merit.children.records import stage_record
from merit.policy.decision import Record, RunJob
from merit.reconciler.effects.hands import Hands


async def run_job(hands: Hands, action: RunJob) -> None:
    """Start the gate's Job, unless it exists."""
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
