"""Hashes are pinned: an upgrade must never turn an unchanged object into a new revision."""

from __future__ import annotations

from typing import Any

import pytest

from merit.api.hashing import Identity, canonical_json, identify
from tests.api.manifests import good, put


def of(manifest: dict[str, Any]) -> Identity:
    return identify(manifest["spec"])


def test_the_hashes_of_the_good_manifest_are_golden() -> None:
    assert of(good()) == Identity(
        revision="h1:f18c2ae95d2f4439b1f4a091e70edcaceb882e8ccb249bc728b9f5d51c730414",
        short="f18c2ae9",
        evaluation="h1:f235320d07db5e1565eb47821424d7edae9c1daac6b82fe219c9c1182c6a569c",
        feasibility="h1:61f5cd69a22cd7a2d3190fbd376cdac5be382fb81250bfec937e1095e73c2cac",
        online="h1:e8d98e566e3b89eaf0b6cf382ee713baf3dd8e9e3f3e977b98b8d865d45aea69",
        policy="bd08bb6c",
    )
    assert of(good()).key == "f18c2ae9-bd08bb6c"


def test_canonical_json_is_golden() -> None:
    assert canonical_json({"b": 1.0, "a": [1, None, "é"], "n": None, "t": True, "z": -0.0}) == (
        '{"a":[1,null,"\\u00e9"],"b":1,"t":true,"z":0}'
    )


def test_numbers_that_are_not_finite_have_no_canonical_form() -> None:
    with pytest.raises(ValueError):
        canonical_json({"a": float("nan")})


@pytest.mark.parametrize(
    "path, value",
    [
        ("spec.owner.team", "others"),
        ("spec.goal.objective", "Something else"),
        ("spec.failureModes.0.impact", "people wait"),
        ("spec.failureModes.0.name", "slow"),
        ("spec.rollout.steps", [10, 50]),
        ("spec.rollout.holdback", {"weight": 20}),
        ("spec.rollout.minDuration", "1m"),
        ("spec.rollout.maxDuration", "2h"),
        ("spec.rollout.route.gateway.hostnames", ["other.example.com"]),
        ("spec.rollbackPolicy.keepWarm", "1h"),
        ("spec.paused", True),
        ("spec.monitoring", None),
        ("spec.serving.port", 8080.0),
        ("spec.rollback", {"reason": "any"}),
        ("metadata.labels", {"a": "b"}),
    ],
)
def test_a_harmless_edit_changes_no_hash(path: str, value: Any) -> None:
    assert of(put(path, value)) == of(good())


def test_the_order_of_failure_modes_changes_no_hash() -> None:
    assert of(put("spec.failureModes", good()["spec"]["failureModes"][::-1])) == of(good())


@pytest.mark.parametrize(
    "path, value, changed",
    [
        ("spec.model.version", "2", {"revision", "short"}),
        ("spec.model.uri", "oci://example.com/fraud:2", {"revision", "short"}),
        ("spec.serving.template.metadata", {"labels": {"a": "b"}}, {"revision", "short"}),
        ("spec.evaluation.bars.0.min", "0.81", {"evaluation", "policy"}),
        ("spec.constraints.latency.p99", "50ms", {"feasibility", "online", "policy"}),
        ("spec.monitoring", {"source": "other"}, {"online", "policy"}),
        ("spec.rollout.confidence", "95%", {"online", "policy"}),
        ("spec.rollout.blastRadius", "2%", {"online", "policy"}),
        ("spec.rollout.onInconclusive", "Rollback", {"online", "policy"}),
        ("spec.failureModes.0.response", "Alert", {"online", "policy"}),
    ],
)
def test_an_edit_changes_the_hashes_of_what_it_touches(
    path: str, value: Any, changed: set[str]
) -> None:
    before, after = of(good()), of(put(path, value))
    names = Identity.__dataclass_fields__
    assert {n for n in names if getattr(before, n) != getattr(after, n)} == changed


def test_each_stage_has_its_own_policy() -> None:
    it = of(good())
    assert it.stage_policy("Evaluation") == it.evaluation
    assert it.stage_policy("Feasibility") == it.feasibility
    assert it.stage_policy("Rollout") == it.online
