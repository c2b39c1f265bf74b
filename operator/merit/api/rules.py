"""What spans fields, or stands where the CRD's schema cannot look: in templates."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from merit.api.constraints import Constraints
from merit.api.defaults import MAX_DURATION, MIN_DURATION
from merit.api.names import RESERVED_ENV
from merit.api.quantity import Refused, format_duration, shown
from merit.api.spec import Rollout, RouteRule, Spec

PERCENTILES = ("p50", "p90", "p95", "p99")
FILTERS = ("RequestHeaderModifier", "ResponseHeaderModifier", "URLRewrite", "RequestRedirect")


def check(spec: Spec) -> None:
    """Raises Refused, its field relative to `spec`, for the first rule that does not hold."""
    _constraints(spec.constraints)
    _failure_modes(spec)
    _evaluation(spec)
    _rollout(spec.rollout)
    _serving(spec)
    pin = spec.rollback
    if pin and pin.from_revision == pin.to_revision:
        raise Refused(
            "names one revision as rejected and as what serves instead",
            "leave spec.rollback to the operator: take it out of the manifest",
            "rollback.toRevision",
        )


def signals(constraints: Constraints) -> tuple[str, ...]:
    """The signals that exist in an object with these constraints."""
    names = ["errors"] if constraints.errors else []
    if constraints.latency:
        set_ = [p for p in PERCENTILES if getattr(constraints.latency, p) is not None]
        names += ["latency", *(f"latency/{p}" for p in set_)]
    return (*names, "cost") if constraints.cost else tuple(names)


def _constraints(it: Constraints) -> None:
    if not (it.latency or it.errors or it.cost):
        raise Refused(
            "sets no bound on latency, errors or cost",
            "set one, as errors: {max: 1%}",
            "constraints",
        )
    if it.latency and all(getattr(it.latency, p) is None for p in PERCENTILES):
        raise Refused("names no percentile", "set one, as p99: 100ms", "constraints.latency")
    if it.cost and it.cost.per_hour is None and it.cost.per1k_predictions is None:
        remedy = 'set perHour or per1kPredictions, as perHour: "6.00"'
        raise Refused("names no amount", remedy, "constraints.cost")
    if it.cost and it.cost.per1k_predictions is not None and not (it.scale and it.scale.rps):
        raise Refused(
            "needs to know how many requests share the cost",
            "set constraints.scale.rps",
            "constraints.cost.per1kPredictions",
        )
    replicas = it.scale.replicas if it.scale else None
    if replicas and replicas.min > replicas.max:
        raise Refused(
            f"{replicas.min} is more than max, which is {replicas.max}",
            "set min to at most max",
            "constraints.scale.replicas.min",
        )


def _failure_modes(spec: Spec) -> None:
    known = signals(spec.constraints)
    seen: set[str] = set()
    for index, mode in enumerate(spec.failure_modes):
        if mode.signal not in known:
            bound = mode.signal.replace("/", ".")
            raise Refused(
                f'nothing measures "{mode.signal}"',
                f"set constraints.{bound}, or use one of: {', '.join(known)}",
                f"failureModes[{index}].signal",
            )
        if mode.name in seen:
            raise Refused(
                f'"{mode.name}" is used twice', "give each a name", f"failureModes[{index}].name"
            )
        seen.add(mode.name)


def _evaluation(spec: Spec) -> None:
    for index, bar in enumerate(spec.evaluation.bars):
        field = f"evaluation.bars[{index}]"
        if bar.min is None and bar.max is None:
            raise Refused(f"says nothing about {bar.metric}", "set min or max", field)
        if bar.min is not None and bar.max is not None and bar.min > bar.max:
            raise Refused(f"{bar.min} is more than max", "set min to at most max", f"{field}.min")
    job = spec.evaluation.job
    for key in job:
        if key not in ("template", "activeDeadlineSeconds", "backoffLimit"):
            raise Refused(
                "cannot be set here",
                "known here: template, activeDeadlineSeconds, backoffLimit",
                f"evaluation.job.{shown(key)}",
            )
    for key, least in (("activeDeadlineSeconds", 1), ("backoffLimit", 0)):
        value = job.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            remedy = f"give a whole number from {least}"
            raise Refused(f"{shown(value)} is not accepted here", remedy, f"evaluation.job.{key}")
    _containers(job.get("template"), "evaluation.job.template")


def _rollout(it: Rollout) -> None:
    for index, (before, after) in enumerate(pairwise(it.steps or ())):
        if after <= before:
            raise Refused(
                f"{after} follows {before}",
                "let the steps increase, as [1, 5, 25, 50]",
                f"rollout.steps[{index + 1}]",
            )
    least = MIN_DURATION if it.min_duration is None else it.min_duration
    most = MAX_DURATION if it.max_duration is None else it.max_duration
    if least > most:
        raise Refused(
            f"{format_duration(least)} is longer than maxDuration, {format_duration(most)}",
            "set minDuration to at most maxDuration (defaults: 5m and 60m)",
            "rollout.minDuration" if it.min_duration is not None else "rollout.maxDuration",
        )
    for index, rule in enumerate(it.route.gateway.rules or ()):
        _filters(rule, f"rollout.route.gateway.rules[{index}]")


def _filters(rule: RouteRule, field: str) -> None:
    for index, entry in enumerate(rule.filters or ()):
        if entry.get("type") not in FILTERS:
            raise Refused(
                f'"{shown(entry.get("type"))}" could send requests elsewhere',
                f"use one of: {', '.join(FILTERS)}",
                f"{field}.filters[{index}].type",
            )


def _serving(spec: Spec) -> None:
    field = "serving.template"
    containers = _containers(spec.serving.template, field)
    port = spec.serving.port
    index = 0
    if len(containers) > 1:
        matching = [i for i, c in enumerate(containers) if port in _ports(c)]
        if len(matching) != 1:
            raise Refused(
                f"port {port} is named by {len(matching)} of {len(containers)} containers",
                f"give the server's container ports: [{{containerPort: {port}}}]",
                "serving.port",
            )
        index = matching[0]
    if not isinstance(containers[index].get("readinessProbe"), dict):
        raise Refused(
            "is missing, so traffic would arrive before the model is loaded",
            f"add a readinessProbe, as httpGet: {{path: /ready, port: {port}}}",
            f"{field}.spec.containers[{index}].readinessProbe",
        )


def _ports(container: dict[str, Any]) -> list[Any]:
    ports = container.get("ports")
    return (
        [p.get("containerPort") for p in ports if isinstance(p, dict)]
        if (isinstance(ports, list))
        else []
    )


def _containers(template: Any, field: str) -> list[dict[str, Any]]:
    """The containers of a pod template that looks like one; reserved variables are refused."""
    pod = template.get("spec") if isinstance(template, dict) else None
    found = pod.get("containers") if isinstance(pod, dict) else None
    if not isinstance(pod, dict) or not isinstance(found, list) or not found:
        remedy = "give a PodTemplateSpec: spec: {containers: [...]}"
        raise Refused("has no containers", remedy, f"{field}.spec.containers")
    for kind in ("initContainers", "containers"):
        entries = pod.get(kind, [])
        for i, container in enumerate(entries if isinstance(entries, list) else []):
            where = f"{field}.spec.{kind}[{i}]"
            if not isinstance(container, dict):
                raise Refused("is no container", "give a map with name and image", where)
            env = container.get("env")
            for j, entry in enumerate(env if isinstance(env, list) else []):
                name = entry.get("name") if isinstance(entry, dict) else None
                if isinstance(name, str) and name.startswith(RESERVED_ENV):
                    raise Refused(
                        f"{shown(name)} is set by the operator",
                        f"choose a name that does not begin with {RESERVED_ENV}",
                        f"{where}.env[{j}].name",
                    )
    return found
