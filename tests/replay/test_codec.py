"""What is recorded comes back as it was; what differs is found, and only what counts."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from merit.api.hashing import identify
from merit.api.spec import Pin, Spec
from merit.api.status import Status
from merit.api.validation import Invalid, parse_spec
from merit.loadtest.order import Counter
from merit.policy.state.measurements import Distribution, Figure, Measurements, Pair
from merit.policy.state.observed import (
    Accepted,
    Declared,
    JobRun,
    Jobs,
    Ledger,
    Observed,
    ObservedPin,
    Recorded,
    RecordEntry,
    RevisionPods,
    Route,
    Traffic,
    Tuning,
)
from merit.policy.state.prices import PriceBook
from merit.stats.counts import ArmPair, Counts, NoSample, Sample
from merit.stats.histogram import Histogram
from tests.api.manifests import good
from tests.replay.codec import COMPUTED, PLACES, Codec
from tests.replay.outcome import differences
from tests.replay.recording import Strings, delta, patched, same
from tests.replay.renamed import renamed

RAW: dict[str, Any] = good()["spec"]
NONE = NoSample("MetricsLost", "nothing answers")


def full() -> Observed:
    """Every field has something in it."""
    spec, identity = parse_spec(RAW, name="fraud"), identify(RAW)
    assert isinstance(spec, Spec)
    numbers = Histogram((0.1, 1.0, math.inf), (1.0, 2.5, 0.0))
    classes = Histogram(("inf", "+Inf", "(other)"), (3.0, 4.0, 0.0))
    counts = ArmPair(Counts(10, 1), Counts(20.5, 0.5), Counts(10, 2), Counts())
    sample = Sample(at=1_800_000_000.25, since=None, signals={"errors": counts})
    record = Accepted("fraud-1", identity, spec, {"kind": "Deployment"}, {"kind": "Service"})
    job = JobRun("j", exists=True, message='{"a": 1}', exit_code=1, images=("a", "b"))
    pods = RevisionPods("a" * 8, scaling=(1, 3), detail="exit code 1", ready_since=1.5)
    route = Route(weights={"b": 90, "a": 10}, announced=frozenset({"c", "a"}), known={"c": 1.0})
    pin = Pin(
        from_revision=identity.revision,
        from_stage="Rollout",
        from_policy=identity.revision,
        to_revision=identity.revision,
        reason="ErrorsWorse",
        message="6% of all requests failed",
        at="2027-01-15T08:00:00Z",
    )
    refused = Invalid("spec.serving.template", "is refused", "correct it")
    return Observed(
        name="fraud",
        namespace="risk",
        uid="u",
        generation=3,
        declared=Declared(spec, identity, refused=refused, tokens={"retry": "2"}),
        status=Status(observed_generation=2, phase="Live", last_handled={"retry": "1"}),
        seen_before=True,
        deleting=True,
        recorded=Recorded(
            accepted={identity.key: record},
            entries=(RecordEntry("ConfigMap", "n", "a" * 8),),
            ledger=Ledger(Status(runs=3)),
            ledger_in_sync=False,
            evaluation={"verdict": "Good"},
        ),
        pin=ObservedPin(pin, False, True, (1.0, 2.0)),
        pods={"a" * 8: pods},
        jobs=Jobs(job, ("j",), frozenset({"j", "i"}), job, ("NoCronJob", "is missing")),
        traffic=Traffic(route, "refused", "conflict", "contested", {"a": True}, "edited"),
        measurements=Measurements(
            sample=sample,
            live=replace(sample, since=1_799_999_985.0),
            comparison=NONE,
            dispersion={"errors": math.inf, "latency/p99": 1.25},
            dispersion_pending=True,
            figures={"errors": Figure(0.01, 1000, "1%")},
            readings={"kpi": ((1.0, 2.0), (2.0, math.inf)), "signals/x": NONE},
            distributions={
                "score": Distribution(1.0, {3600.0: numbers, 0.5: classes}),
                "no": NONE,
            },
            pairs={"score": Pair(numbers, numbers, -math.inf), "no": NONE},
            replicas={"a": 1.5},
            warnings=(("NoBucketEdge", "0.3 is none"),),
        ),
        incident="incident",
        undelivered="nobody answers",
        refused_writes={"RunJob": "forbidden"},
        tuning=Tuning(
            source="it",
            prices=PriceBook("USD", Decimal("0.0310"), Decimal(1), {"gpu": Decimal("1e-9")}),
            counters=(Counter(("a", "b"), {"le": "1"}, {"code": ("1", "2")}),),
        ),
    )


@pytest.mark.parametrize("spec", ["accepted", "invalid"])
def test_an_observation_comes_back_as_it_was(spec: str) -> None:
    seen = full()
    if spec == "invalid":
        invalid = Invalid("spec.goal", "is missing", "add goal")
        seen = replace(seen, declared=Declared(invalid, None))
    writer = Codec(source_of=lambda _: RAW)
    text = json.dumps(writer.encode_observed(seen), allow_nan=False)
    reader = Codec(json.loads(json.dumps(writer.pool)))
    again = reader.decode_observed(json.loads(text))
    assert again == seen
    assert list(again.traffic.route.weights) == ["b", "a"]
    sample = again.measurements.sample
    assert isinstance(sample, Sample) and type(sample.signals["errors"].candidate.n) is int


def test_every_field_of_an_observation_is_recorded() -> None:
    groups = {place.partition(".")[0] for place in PLACES.values() if "." in place}
    places = {f.name for f in fields(Observed)} - groups - set(COMPUTED)
    seen = full()
    for group in groups:
        places |= {f"{group}.{f.name}" for f in fields(getattr(seen, group))}
    assert places == set(PLACES.values())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"a": 1}),
        ({"a": 1, "b": {"c": [1]}}, {"b": {"c": [1, 2]}}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ([{"type": "A", "x": 1}, {"type": "B"}], [{"type": "C"}, {"type": "A", "x": 2}]),
        ([1, 2, 3], [3, 1]),
        ([1], []),
        ({"a": None}, {"a": {"=": 1, "~": {"l": []}}}),
    ],
)
def test_a_delta_makes_the_new_of_the_old(old: Any, new: Any) -> None:
    assert same(patched(old, json.loads(json.dumps(delta(old, new)))), new)


def test_a_long_string_is_written_once() -> None:
    value = ["a long sentence of words", {"x": "a long sentence of words"}, "short"]
    short = Strings().shortened(value)
    assert short[1] == {"x": {"$": 0}}
    assert Strings().restored(short) == value


def test_sentences_can_be_left_out_and_nothing_else() -> None:
    def status(words: str, reason: str = "Dwell") -> dict[str, Any]:
        return {
            "status": {
                "summary": words,
                "flow": [{"reason": reason, "message": words}],
                "rejected": [{"evidence": words, "reason": reason}],
                "analysis": {"evidence": "1.5"},
            },
            "actions": [{"content": {"rejected": {"json": [{"evidence": words}]}}}],
        }

    assert not list(differences(status("a"), status("b"), messages=False))
    assert len(list(differences(status("a"), status("b"), messages=True))) == 4
    found = [path for path, _, _ in differences(status("a"), status("b", "Paused"), messages=False)]
    assert found == ["status.flow[0].reason", "status.rejected[0].reason"]
    other = status("a")
    other["status"]["analysis"] = {"evidence": "2"}
    assert list(differences(status("a"), other, messages=False))


def test_what_was_renamed_has_its_new_name_and_data_stays() -> None:
    recorded = {
        "verifying": {"stage": "Comparing"},
        "flow": [{"reason": "Verifying", "message": "Verifying it"}],
        "lastHandled": {"verifying": "1"},
        "effective": {"verifying": "Verifying"},
    }
    assert renamed(recorded) == {
        "comparison": {"stage": "Comparing"},
        "flow": [{"reason": "Comparing", "message": "Verifying it"}],
        "lastHandled": {"verifying": "1"},
        "effective": {"verifying": "Verifying"},
    }
