"""What is allowed and still worth a word before it is applied: warnings, each with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from merit.api.bypass import LONGEST
from merit.api.quantity import format_duration
from merit.api.spec import Spec
from merit.evidence.cost import PriceBook, Unpriced, unit_price
from merit.policy.responses import constrained
from merit.policy.signals import declared

# Upper edges in seconds of the histogram that an Envoy has when nobody set any.
ENVOY_EDGES = (0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
_FREE = PriceBook("XXX", Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Advice:
    """`field`: the path from `spec`."""

    field: str
    message: str
    remedy: str

    def sentence(self) -> str:
        """One line for a terminal."""
        return f"{self.field}: {self.message}; {self.remedy}"


def advise(
    spec: Spec, *, edges: Sequence[float] = ENVOY_EDGES, now: float = 0.0
) -> tuple[Advice, ...]:
    """All of it. `edges`: the gateway's histogram, in seconds; `now`: Unix seconds."""
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
    )


def _off_edges(spec: Spec, edges: Sequence[float]) -> Iterator[Advice]:
    for signal in declared(spec):
        if signal.bound is None or any(abs(e - signal.bound) < 1e-9 for e in edges):
            continue
        below = max((e for e in edges if e < signal.bound), default=None)
        above = min((e for e in edges if e > signal.bound), default=None)
        near = " or ".join(_time(e) for e in (below, above) if e is not None)
        yield Advice(
            f"spec.constraints.{signal.name.replace('/', '.')}",
            f"{signal.shown} is on no edge of the gateway's histogram, so that requests beside it "
            "cannot be told apart",
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
                "no failure mode says what happens when it is broken, so it is alerted at most",
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
        found = sorted(set(_references(template)))
        if found:
            yield Advice(
                field,
                f"reads {', '.join(found)}, whose content is outside the revision: an edit of it "
                "is neither evaluated nor rolled back",
                "make it immutable, with a new name for new content",
            )


def _bodies(spec: Spec) -> Iterator[Advice]:
    load = spec.feasibility.load if spec.feasibility else None
    if load is not None and load.request.bodies_from is not None:
        yield Advice(
            "spec.feasibility.load.request.bodiesFrom",
            f"ConfigMap {load.request.bodies_from.config_map} is outside every hash: an edit of "
            "what it holds starts no new load test, and what passed stays passed",
            "make it immutable, with a new name for new content",
        )


def _references(value: Any) -> Iterator[str]:
    """ConfigMaps and Secrets that a pod template names, wherever it does."""
    words = {"configMap": "ConfigMap", "secret": "Secret"}
    words |= {f"{k}{end}": w for k, w in words.items() for end in ("Ref", "KeyRef")}
    for key, child in value.items() if isinstance(value, Mapping) else ():
        if key in words and isinstance(child, Mapping):
            name = child.get("name") or child.get("secretName")
            if isinstance(name, str):
                yield f"{words[key]} {name[:64]}"
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
            words
            for words, there in (
                ("runAsNonRoot: true", own.get("runAsNonRoot", pod.get("runAsNonRoot")) is True),
                ("allowPrivilegeEscalation: false", own.get("allowPrivilegeEscalation") is False),
                ("capabilities: {drop: [ALL]}", isinstance(dropped, list) and "ALL" in dropped),
                ("seccompProfile: {type: RuntimeDefault}", isinstance(seccomp, Mapping)),
            )
            if not there
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
            "has no price, so that the feasibility gate will hold it",
            price.message,
        )


def _bypassed(spec: Spec, now: float) -> Iterator[Advice]:
    if spec.bypass is None:
        return
    left = spec.bypass.expires - now
    if left > LONGEST:
        said = "ends more than 24h from now: applied today it would skip nothing"
    elif left <= 0:
        said = "is over, and skips nothing"
    else:
        said = f"skips {', '.join(spec.bypass.stages)} for {format_duration(left)}: a version may "
        said += "reach users unproven"
    yield Advice("spec.bypass", said, "take it out as soon as the emergency is over")


def _pinned(spec: Spec) -> Iterator[Advice]:
    if spec.rollback is not None:
        yield Advice(
            "spec.rollback",
            "belongs to the operator: in Git it would keep a rollback from ever ending",
            "take it out of the manifest",
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
