"""The Job of a retraining, from the declared CronJob or template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.spec import Spec
from merit.children.training import training_job
from merit.cluster.errors import ApiError, Unreachable
from merit.policy.decision import Retrain
from merit.reconciler.effects.hands import Hands


async def train(hands: Hands, action: Retrain) -> None:
    """Make the run's Job, unless it exists; what keeps it from being made is remembered."""
    template = await _template(hands)
    if template is None:
        return
    try:
        await hands.create(
            training_job(
                job=action.run.job,
                name=hands.key.name,
                namespace=hands.key.namespace,
                owner=hands.owner,
                template=template,
                told=_told(hands, action),
            )
        )
    except Unreachable:
        raise
    except ApiError as error:
        if error.status not in (400, 403, 422):
            raise
        said = " ".join(str(error.message).split())[:600]
        _remember(hands, "RetrainRefused", f"the API server refuses the Job: {said}")


async def _template(hands: Hands) -> Mapping[str, Any] | None:
    """The JobSpec to be run, or None after the reason is remembered."""
    spec = hands.seen.spec
    declared = spec.retrain if isinstance(spec, Spec) else None
    if declared is None:
        return None
    if declared.job is not None:
        return declared.job
    name = declared.cron_job or ""
    found = await hands.cluster.get("batch/v1", "CronJob", hands.key.namespace, name)
    template = ((found or {}).get("spec") or {}).get("jobTemplate") or {}
    if not template.get("spec"):
        _remember(hands, "CronJobMissing", f"there is no CronJob {name} in {hands.key.namespace}")
        return None
    found_spec: Mapping[str, Any] = template["spec"]
    return found_spec


def _told(hands: Hands, action: Retrain) -> dict[str, str]:
    seen, run = hands.seen, action.run
    stable = seen.status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    model = accepted.spec.model if accepted else None
    return {
        "MERIT_NAME": hands.key.name,
        "MERIT_NAMESPACE": hands.key.namespace,
        "MERIT_REVISION": stable.revision if stable else "",
        "MERIT_MODEL_NAME": model.name if model else "",
        "MERIT_MODEL_VERSION": model.version if model else "",
        "MERIT_MODEL_URI": model.uri if model else "",
        "MERIT_RETRAIN_RUN": str(run.run),
        "MERIT_RETRAIN_SIGNAL": run.signal,
        "MERIT_RETRAIN_REASON": run.why,
        "MERIT_RETRAIN_SINCE": run.since,
        "MERIT_RETRAIN_UNTIL": run.until,
    }


def _remember(hands: Hands, reason: str, words: str) -> None:
    hands.memory.training = (reason, words, hands.now)
