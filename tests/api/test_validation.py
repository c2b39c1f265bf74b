"""Every wrong manifest is refused by name of field and with a remedy; a good one is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.api.validation import Invalid, parse_spec
from tests.api.manifests import full, good, put
from tests.api.wrong_manifests import PARAMS, Wrong


def parse(manifest: dict[str, Any]) -> Spec | Invalid:
    return parse_spec(manifest["spec"], name=manifest["metadata"]["name"])


def test_a_good_manifest_is_read() -> None:
    spec = parse(good())
    assert isinstance(spec, Spec)
    assert spec.constraints.latency and spec.constraints.latency.p99 == 0.1
    assert spec.constraints.errors and spec.constraints.errors.max == 0.01
    assert spec.rollout.steps is None


def test_a_manifest_with_every_field_is_read() -> None:
    spec = parse(full())
    assert isinstance(spec, Spec), spec.sentence()
    assert spec.rollback and spec.rollback.from_stage == "Rollout"
    assert spec.model_dump(by_alias=True, exclude_none=True).keys() == full()["spec"].keys()


def test_every_default_is_applied_and_shown() -> None:
    spec = parse(good())
    assert isinstance(spec, Spec)
    assert effective(spec, source="contour").to_status() == {
        "source": "contour",
        "evaluation": {
            "report": "Native",
            "proof": "PointEstimate",
            "activeDeadlineSeconds": 3600,
            "backoffLimit": 1,
        },
        "steps": [1, 5, 10, 25, 50],
        "approvals": [],
        "confidence": "99%",
        "blastRadius": "1%",
        "minDuration": "5m",
        "maxDuration": "1h",
        "onInconclusive": "Hold",
        "holdback": {"weight": 10, "duration": "15m"},
        "replicas": {"min": 2, "max": 8},
        "keepRevisions": 3,
        "keepWarm": "24h",
        "within": "168h",
        "cooldown": "1h",
        "prices": "default",
    }


@pytest.mark.parametrize("wrong", PARAMS)
def test_a_wrong_manifest_is_refused_with_field_and_remedy(wrong: Wrong) -> None:
    refused = parse(wrong.manifest)
    assert isinstance(refused, Invalid), "accepted"
    assert refused.field.startswith(wrong.field), refused.sentence()
    assert wrong.remedy in refused.remedy, refused.sentence()
    assert refused.message and "\n" not in refused.sentence()
    assert len(refused.sentence()) < 400


def test_nulls_are_absent() -> None:
    assert parse(put("spec.monitoring", None)) == parse(good())


def test_deeply_nested_lists_are_refused_without_a_crash() -> None:
    tower: Any = []
    for _ in range(5000):
        tower = [tower]
    assert isinstance(parse(put("spec.goal", tower)), Invalid)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(deadline=None)  # other work on the machine must not fail it
@given(part=st.sampled_from(sorted(good()["spec"])), value=JSON, name=st.text(max_size=50))
def test_no_json_makes_it_raise(part: str, value: Any, name: str) -> None:
    for told in (
        parse_spec(put(f"spec.{part}", value)["spec"], name="fraud"),
        parse_spec(good()["spec"], name=name),
    ):
        assert isinstance(told, Spec) or told.field
