"""Observations for tests of the rules: an object that serves, and what is replaced in it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from merit.api.hashing import identify
from merit.api.spec import Spec
from merit.api.status import Candidate, Promotion, Rejection, Revision, Stage, Status
from merit.api.validation import parse_spec
from merit.policy.state.counted_signals import bars
from merit.policy.state.observed import (
    Accepted,
    Declared,
    Observed,
    Recorded,
    RevisionPods,
    Route,
    Traffic,
)
from merit.policy.state.times import stamp
from merit.stats.counts import ArmPair, Counts, Sample
from tests.api.manifests import good, put

NOW = 1_800_000_000.0
NOUNS = ("declared", "recorded", "pin", "jobs", "traffic", "measurements")


def spec(**changes: Any) -> dict[str, Any]:
    manifest = good()
    for path, value in changes.items():
        manifest = put(f"spec.{path.replace('__', '.')}", value, manifest)
    return manifest["spec"]


def observed(raw: dict[str, Any] | None = None, **parts: Any) -> Observed:
    """An object that has served since an hour ago, in two pods."""
    raw = raw or good()["spec"]
    spec, identity = parse_spec(raw, name="fraud"), identify(raw)
    assert isinstance(spec, Spec), spec
    stable = Revision(
        revision=identity.revision,
        short=identity.short,
        policy=identity.policy,
        version="2",
        promoted_at=stamp(NOW - 3600),
    )
    record = Accepted(name="fraud", identity=identity, spec=spec, deployment={}, service={})
    seen = Observed(
        name="fraud",
        namespace="risk",
        uid="u",
        generation=1,
        status=Status(observed_generation=1, stable=stable),
        seen_before=True,
        pods={
            identity.short: RevisionPods(
                identity.short, exists=True, in_sync=True, desired=2, ready=2
            )
        },
        declared=Declared(spec=spec, identity=identity),
        recorded=Recorded(accepted={identity.key: record}),
        traffic=Traffic(route=Route(exists=True, weights={identity.short: 100}, accepted=True)),
    )
    return with_parts(seen, **parts)


def declaring(seen: Observed, raw: dict[str, Any], *, on_record: bool = True) -> Observed:
    """The same object with another spec declared. `on_record`: it was accepted already."""
    other = observed(raw)
    known = other.recorded.accepted if on_record else {}
    recorded = replace(seen.recorded, accepted={**seen.recorded.accepted, **known})
    declared = replace(seen.declared, spec=other.declared.spec, identity=other.declared.identity)
    return replace(seen, declared=declared, recorded=recorded)


def in_canary(seen: Observed, raw: dict[str, Any], **changes: Any) -> Observed:
    """The same object with a second version at 10 %, or as `changes` of the candidate say."""
    seen = declaring(seen, put("model.version", "3", raw))
    identity = seen.declared.identity
    assert identity is not None
    candidate = Candidate(
        revision=identity.revision,
        short=identity.short,
        policy=identity.policy,
        version="3",
        stage="Rollout",
        weight=10,
        step=1,
        since=stamp(NOW - 100),
        rollout_since=stamp(NOW - 100),
    ).model_copy(update=changes)
    pods = RevisionPods(identity.short, True, True, desired=1, ready=1)
    return replace(with_status(seen, candidate=candidate), pods={**seen.pods, identity.short: pods})


def canary(raw: dict[str, Any] | None = None, **changes: Any) -> Observed:
    """An exposed candidate with enough pods, whose requests and stable's were just counted."""
    seen = in_canary(observed(raw), raw or spec(), **changes)
    candidate, stable = seen.status.candidate, seen.status.stable
    assert candidate is not None and stable is not None
    weights = {stable.short: 100 - candidate.weight, candidate.short: candidate.weight}
    seen = with_pods(seen, candidate.short, desired=8, ready=8)
    return with_parts(
        seen,
        sample=counted(seen),
        route=replace(seen.traffic.route, weights={k: v for k, v in weights.items() if v}),
    )


def counted(seen: Observed, *, failed: int = 0, since: float | None = NOW - 15) -> Sample:
    """A scrape of 15 s: 100 requests of the candidate, and 900 of stable, of which none failed."""
    names = [signal.name for signal in bars(_spec(seen))]
    pair = ArmPair(Counts(100, failed), Counts(900, 0), Counts(100, failed), Counts(900, 0))
    return Sample(NOW, since, dict.fromkeys(names, pair))


def _spec(seen: Observed) -> Spec:
    assert isinstance(seen.declared.spec, Spec)
    return seen.declared.spec


def at_gate(stage: str, raw: dict[str, Any] | None = None, **changes: Any) -> Observed:
    """A candidate at one of the two gates."""
    before: dict[str, Any] = {"stage": stage, "weight": 0, "step": 0, "rollout_since": ""}
    return in_canary(observed(raw), raw or spec(), **before, **changes)


def with_status(seen: Observed, **changes: Any) -> Observed:
    """`seen` with other parts of status."""
    return replace(seen, status=seen.status.model_copy(update=changes))


def with_pods(seen: Observed, short: str, **changes: Any) -> Observed:
    """`seen` with other pods of a revision."""
    return replace(seen, pods={**seen.pods, short: replace(seen.pods_of(short), **changes)})


def with_token(seen: Observed, verb: str, value: str = "now") -> Observed:
    """`seen` with a request by a person."""
    return with_parts(seen, tokens={verb: value})


def with_predecessor(seen: Observed, *, ready: int = 2, **pods: Any) -> Observed:
    """`seen` with version 1, which was promoted before and is on record."""
    before = observed(spec(model__version="1"))
    (record,) = before.recorded.accepted.values()
    promotion = Promotion(
        revision=record.identity.revision,
        short=record.identity.short,
        policy=record.identity.policy,
        version="1",
        at=stamp(NOW - 7200),
    )
    accepted = {**seen.recorded.accepted, record.identity.key: record}
    seen = with_status(with_parts(seen, accepted=accepted), promoted=(promotion,))
    return with_pods(
        seen, record.identity.short, exists=True, in_sync=True, desired=2, ready=ready, **pods
    )


def rejected(seen: Observed, stage: Stage = "Rollout") -> Observed:
    """`seen` with its declared content rejected at that stage."""
    identity = seen.declared.identity
    assert identity is not None
    entry = Rejection.model_validate(
        {
            "revision": identity.revision,
            "stage": stage,
            "policy": identity.stage_policy(stage),
            "reason": "ErrorsWorse",
            "at": stamp(NOW - 60),
        }
    )
    return with_status(seen, rejected=(entry,))


def with_parts(seen: Observed, **parts: Any) -> Observed:
    """`seen` with each named field replaced: of itself, or else of the noun that has it."""
    own = {field.name for field in fields(Observed)}
    for name, value in parts.items():
        if name in own:
            seen = replace(seen, **{name: value})
            continue
        noun = next(n for n in NOUNS if _has(getattr(seen, n), name))
        seen = replace(seen, **{noun: replace(getattr(seen, noun), **{name: value})})
    return seen


def _has(noun: Any, name: str) -> bool:
    return is_dataclass(noun) and name in {field.name for field in fields(noun)}
