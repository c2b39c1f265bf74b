"""Rules of the rollout: increasing steps, consistent durations, a safe route."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from merit.api.defaults import MAX_DURATION, MIN_DURATION, STEPS
from merit.api.names import LABEL_PREFIX
from merit.api.quantity import InvalidValue, format_duration, shown
from merit.api.rollout import Rollout, RouteMetadata, RouteRule
from merit.api.spec import Spec

EXTENSION = "ExtensionRef"
FILTERS = (
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "URLRewrite",
    "RequestRedirect",
    "CORS",
    EXTENSION,
)
# Of a label or an annotation, as the API server asks for them.
_KEY = re.compile(
    r"([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
)
_LABEL = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")


def check_rollout(it: Rollout) -> None:
    """Check steps, durations and route. Raises InvalidValue."""
    for name, listed in (("steps", it.steps), ("approvals", it.approvals)):
        for index, (before, after) in enumerate(pairwise(listed or ())):
            if after <= before:
                raise InvalidValue(
                    f"{after} follows {before}",
                    f"let the {name} increase, as [1, 5, 25, 50]",
                    f"rollout.{name}[{index + 1}]",
                )
    steps = it.steps or STEPS
    for index, weight in enumerate(it.approvals or ()):
        if weight not in steps:
            raise InvalidValue(
                f"{weight} is not one of the steps",
                f"use one of: {', '.join(str(step) for step in steps)}",
                f"rollout.approvals[{index}]",
            )
    shortest = MIN_DURATION if it.min_duration is None else it.min_duration
    longest = MAX_DURATION if it.max_duration is None else it.max_duration
    if shortest > longest:
        raise InvalidValue(
            f"{format_duration(shortest)} is longer than maxDuration, {format_duration(longest)}",
            "set minDuration to at most maxDuration (defaults: 5m and 60m)",
            "rollout.minDuration" if it.min_duration is not None else "rollout.maxDuration",
        )
    gateway = it.route.gateway
    if (gateway is None) == (it.route.replicas is None):
        raise InvalidValue(
            "names no route" if gateway is None else "names two routes",
            "set exactly one, gateway: {parentRefs, hostnames} or replicas: {}",
            "rollout.route",
        )
    rules = gateway.rules or () if gateway else ()
    if rules and all(_redirects(rule) for rule in rules):
        raise InvalidValue(
            "redirects every request, so none reaches the model",
            "add a rule without a RequestRedirect",
            "rollout.route.gateway.rules",
        )
    for index, rule in enumerate(rules):
        _filters(rule, f"rollout.route.gateway.rules[{index}]")
    if it.route.metadata is not None:
        _metadata(it.route.metadata)


def check_steps_of_pods(spec: Spec) -> None:
    """Check that by pod count some step is as large as the share of one pod."""
    steps = spec.rollout.steps
    if spec.rollout.route.kind != "replicas" or steps is None:
        return
    scale = spec.constraints.scale
    pods = scale.replicas.min if scale and scale.replicas else 1
    if steps[-1] * (pods + 1) >= 100:
        return
    smallest = -(-100 // (pods + 1))
    raise InvalidValue(
        f"{steps[-1]}% is less than the share of one pod beside {pods}, which is {smallest}%",
        f"add a step of at least {smallest}, or raise constraints.scale.replicas.min",
        "rollout.steps",
    )


def _redirects(rule: RouteRule) -> bool:
    return any(entry.get("type") == "RequestRedirect" for entry in rule.filters or ())


def _filters(rule: RouteRule, field: str) -> None:
    for index, entry in enumerate(rule.filters or ()):
        where = f"{field}.filters[{index}]"
        if entry.get("type") not in FILTERS:
            mirrors = entry.get("type") == "RequestMirror"
            raise InvalidValue(
                "RequestMirror sends copies to a backend that is not measured"
                if mirrors
                else f'"{shown(entry.get("type"))}" is not a type of filter that Merit passes on',
                f"use one of: {', '.join(FILTERS)}",
                f"{where}.type",
            )
        if entry["type"] == EXTENSION and extension_of(entry) is None:
            remedy = "give group, kind and name of the object, as strings"
            raise InvalidValue("names no object", remedy, f"{where}.extensionRef")


def extension_of(entry: Mapping[str, Any]) -> str | None:
    """`group/kind` of the object that a filter refers to; None if it names none."""
    ref = entry.get("extensionRef")
    parts = [ref.get(part) for part in ("group", "kind", "name")] if isinstance(ref, dict) else []
    if not parts or not all(isinstance(part, str) and part for part in parts):
        return None
    return f"{parts[0]}/{parts[1]}"


def _metadata(it: RouteMetadata) -> None:
    for part, values in (("labels", it.labels), ("annotations", it.annotations)):
        for key, value in (values or {}).items():
            field = f"rollout.route.metadata.{part}"
            if key.startswith(LABEL_PREFIX):
                remedy = f"choose a name that does not begin with {LABEL_PREFIX}"
                raise InvalidValue(f'"{shown(key)}" is set by the operator', remedy, field)
            if not _KEY.fullmatch(key):
                raise InvalidValue(
                    f'"{shown(key)}" is no name', "write it as example.com/name", field
                )
            if part == "labels" and not _LABEL.fullmatch(value):
                remedy = "use at most 63 letters, digits, dashes, dots and underscores"
                raise InvalidValue(f'"{shown(value)}" is no value of a label', remedy, field)
