"""Warnings about a valid spec, each with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from merit.api.extensions import extension_refusal
from merit.api.quantity import format_duration
from merit.api.spec import MAX_BYPASS, Spec
from merit.policy.state.counted_signals import counted_signals
from merit.policy.state.prices import PriceBook, Unpriced, unit_price
from merit.policy.state.responses import constrained

# Upper edges, in seconds, of Envoy's default histogram.
ENVOY_EDGES = (0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
_FREE = PriceBook("XXX", Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Advice:
    """One warning. `field`: the path from `spec`."""

    field: str
    message: str
    remedy: str

    def sentence(self) -> str:
        """One line for a terminal."""
        return f"{self.field}: {self.message}; {self.remedy}"


def advise(
    spec: Spec, *, edges: Sequence[float] = ENVOY_EDGES, now: float = 0.0
) -> tuple[Advice, ...]:
    """All warnings. `edges`: of the gateway's histogram, in seconds; `now`: Unix seconds."""
    return (
        *_off_edges(spec, edges),
        *_uncovered(spec),
        *_mutable(spec),
        *_outside(spec),
        *_bodies(spec),
        *_unrestricted(spec),
        *_unpriced(spec),
        *_bypassed(spec, now),
        *_pinned(spec),
        *_extended(spec),
    )


def _off_edges(spec: Spec, edges: Sequence[float]) -> Iterator[Advice]:
    for signal in counted_signals(spec):
        if signal.bound is None or any(abs(e - signal.bound) < 1e-9 for e in edges):
            continue
        below = max((e for e in edges if e < signal.bound), default=None)
        above = min((e for e in edges if e > signal.bound), default=None)
        near = " or ".join(_time(e) for e in (below, above) if e is not None)
        yield Advice(
            f"spec.constraints.{signal.name.replace('/', '.')}",
            f"{signal.text} is not an edge of the gateway's histogram, so requests above and "
            "below it cannot be counted separately",
            f"use {near}, or add the edge to the gateway",
        )


def _time(seconds: float) -> str:
    return format_duration(seconds) if seconds >= 0.001 else f"{seconds * 1000:g}ms"


def _uncovered(spec: Spec) -> Iterator[Advice]:
    named = {mode.signal.partition("/")[0] for mode in spec.failure_modes}
    for constraint in constrained(spec):
        if constraint not in named:
            yield Advice(
                f"spec.constraints.{constraint}",
                "no failure mode says what happens when it is broken, so there is only an alert",
                f"add a failure mode with signal: {constraint}",
            )


def _mutable(spec: Spec) -> Iterator[Advice]:
    for field, template in _templates(spec):
        for where, container in _containers(template):
            image = container.get("image")
            if isinstance(image, str) and not _DIGEST.search(image):
                yield Advice(
                    f"{field}.spec.{where}.image",
                    f"{image} is a tag, which may become another image: the same revision would "
                    "then run other code",
                    "name the image by its digest, as image@sha256:…",
                )
    if spec.model.uri.startswith("oci:") and not _DIGEST.search(spec.model.uri):
        yield Advice(
            "spec.model.uri",
            "is a tag, which may become another model without a new revision",
            "name it by its digest, as …@sha256:…",
        )


def _outside(spec: Spec) -> Iterator[Advice]:
    for field, template in _templates(spec):
        names = sorted(set(_references(template)))
        if names:
            yield Advice(
                field,
                f"reads {', '.join(names)}, whose content is not part of the revision: an edit of "
                "it is neither evaluated nor rolled back",
                "make it immutable, with a new name for new content",
            )


def _bodies(spec: Spec) -> Iterator[Advice]:
    load = spec.feasibility.load if spec.feasibility else None
    if load is not None and load.request.bodies_from is not None:
        yield Advice(
            "spec.feasibility.load.request.bodiesFrom",
            f"ConfigMap {load.request.bodies_from.config_map} is not part of any hash: an edit "
            "of it starts no new load test, and a gate that was passed stays passed",
            "make it immutable, with a new name for new content",
        )


def _references(value: Any) -> Iterator[str]:
    """ConfigMaps and Secrets that a pod template names, at any place."""
    kinds = {"configMap": "ConfigMap", "secret": "Secret"}
    kinds |= {f"{key}{end}": kind for key, kind in kinds.items() for end in ("Ref", "KeyRef")}
    for key, child in value.items() if isinstance(value, Mapping) else ():
        if key in kinds and isinstance(child, Mapping):
            name = child.get("name") or child.get("secretName")
            if isinstance(name, str):
                yield f"{kinds[key]} {name[:64]}"
        yield from _references(child)
    for item in value if isinstance(value, list) else ():
        yield from _references(item)


def _unrestricted(spec: Spec) -> Iterator[Advice]:
    field, template = "spec.serving.template", spec.serving.template
    pod = _mapping(_mapping(template.get("spec")).get("securityContext"))
    for where, container in _containers(template):
        own = _mapping(container.get("securityContext"))
        dropped = _mapping(own.get("capabilities")).get("drop")
        seccomp = own.get("seccompProfile", pod.get("seccompProfile"))
        missing = [
            setting
            for setting, is_set in (
                ("runAsNonRoot: true", own.get("runAsNonRoot", pod.get("runAsNonRoot")) is True),
                ("allowPrivilegeEscalation: false", own.get("allowPrivilegeEscalation") is False),
                ("capabilities: {drop: [ALL]}", isinstance(dropped, list) and "ALL" in dropped),
                ("seccompProfile: {type: RuntimeDefault}", isinstance(seccomp, Mapping)),
            )
            if not is_set
        ]
        if missing:
            yield Advice(
                f"{field}.spec.{where}.securityContext",
                "would not run in a namespace of Pod Security's level restricted",
                f"set {', '.join(missing)}",
            )


def _unpriced(spec: Spec) -> Iterator[Advice]:
    if spec.constraints.cost is None:
        return
    price = unit_price(spec.serving.template, _FREE)
    if isinstance(price, Unpriced) and price.reason == "NoRequests":
        yield Advice(
            "spec.serving.template",
            "has no price, so the feasibility gate will hold it",
            price.message,
        )


def _bypassed(spec: Spec, now: float) -> Iterator[Advice]:
    if spec.bypass is None:
        return
    left = spec.bypass.expires - now
    if left > MAX_BYPASS:
        message = "ends more than 24h from now: if applied now, it skips nothing"
    elif left <= 0:
        message = "has expired, and skips nothing"
    else:
        message = f"skips {', '.join(spec.bypass.stages)} for {format_duration(left)}: a version "
        message += "may get traffic without proof"
    yield Advice("spec.bypass", message, "remove it as soon as the emergency is over")


def _pinned(spec: Spec) -> Iterator[Advice]:
    if spec.rollback is not None:
        yield Advice(
            "spec.rollback",
            "is written by the operator: in Git it would keep a rollback from ending",
            "remove it from the manifest",
        )


def _extended(spec: Spec) -> Iterator[Advice]:
    refused = extension_refusal(spec, ())
    if refused is not None:
        yield Advice(
            refused.field,
            "is accepted only if the operator's configuration lists the kind",
            refused.remedy,
        )


def _templates(spec: Spec) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return (
        ("spec.serving.template", spec.serving.template),
        ("spec.evaluation.job.template", _mapping(spec.evaluation.job.get("template"))),
    )


def _containers(template: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    pod = _mapping(template.get("spec"))
    for kind in ("initContainers", "containers"):
        listed = pod.get(kind)
        for index, container in enumerate(listed if isinstance(listed, list) else ()):
            yield f"{kind}[{index}]", _mapping(container)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
