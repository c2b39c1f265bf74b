"""The Job of a retraining, from the declared template or CronJob."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.host_access import template_host_access
from merit.api.quantity import InvalidValue
from merit.api.rules.templates import check_labels
from merit.api.spec import Spec
from merit.api.validation import Invalid
from merit.kube.errors import ApiError, Unreachable
from merit.objects.training_job import training_job
from merit.policy.state.decision import Retrain
from merit.reconciler.effects.object_writer import ObjectWriter, one_line


async def train(writer: ObjectWriter, action: Retrain) -> None:
    """Create the run's Job, unless it exists; why it cannot be created is remembered."""
    template = await _template(writer)
    if template is None:
        return
    try:
        await writer.create(
            training_job(
                job=action.run.job,
                **writer.parent,
                template=template,
                env=_environment(writer, action),
            )
        )
    except Unreachable:
        raise
    except ApiError as error:
        if error.status not in (400, 403, 422):
            raise
        message = f"the API server refuses the Job: {one_line(error)}"
        _remember(writer, "RetrainRefused", message)


async def _template(writer: ObjectWriter) -> Mapping[str, Any] | None:
    """The JobSpec of the run; None after the reason is remembered."""
    spec = writer.seen.declared.spec
    declared = spec.retrain if isinstance(spec, Spec) else None
    if declared is None:
        return None
    if declared.job is not None:
        return declared.job
    name = declared.cron_job or ""
    found = await writer.cluster.get("batch/v1", "CronJob", writer.key.namespace, name)
    template = ((found or {}).get("spec") or {}).get("jobTemplate") or {}
    if not template.get("spec"):
        _remember(writer, "CronJobMissing", f"there is no CronJob {name} in {writer.key.namespace}")
        return None
    found_spec: Mapping[str, Any] = template["spec"]
    if refused := _refusal(writer, found_spec.get("template") or {}):
        _remember(writer, "RetrainRefused", f"CronJob {name}: {refused}")
        return None
    return found_spec


def _refusal(writer: ObjectWriter, template: Mapping[str, Any]) -> str:
    """Why a CronJob's pods may not run; its template was never accepted, and changes any time."""
    field = "jobTemplate.spec.template"
    try:
        check_labels(template, field)
    except InvalidValue as wrong:
        return Invalid(wrong.field, wrong.message, wrong.remedy).sentence()
    found = None if writer.seen.tuning.host_access else template_host_access(template, field)
    return found.sentence() if found else ""


def _environment(writer: ObjectWriter, action: Retrain) -> dict[str, str]:
    stable, run = writer.seen.status.stable, action.run
    accepted = writer.seen.record(stable)
    model = accepted.spec.model if accepted else None
    return {
        "MERIT_NAME": writer.key.name,
        "MERIT_NAMESPACE": writer.key.namespace,
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


def _remember(writer: ObjectWriter, reason: str, message: str) -> None:
    writer.memory.training = (reason, message, writer.now)
