"""Names fit Kubernetes' limits; every reason has a sentence; the CRD's file is not stale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from merit.api.crd import crd, crd_yaml
from merit.api.names import (
    accepted_name,
    arm_name,
    job_name,
    ledger_name,
    nonce,
    run_id,
)
from merit.api.reasons import REASONS

FILE = Path(__file__).parents[2] / "crds" / "merit.dev_modeldeployments.yaml"
SHORT, LONG = "0a1b2c3d", "a" * 29 + "-" + "b" * 10


def test_every_name_fits_a_label_and_a_service() -> None:
    run = run_id("uid", "h1:x", "h1:y", 1)
    for name in (
        accepted_name(LONG, f"{SHORT}-{SHORT}"),
        arm_name(LONG, SHORT),
        job_name(LONG, SHORT, "Feasibility", run),
        ledger_name(LONG),
    ):
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name), name
        assert "--" not in name


def test_runs_and_nonces_differ_by_everything_that_makes_them() -> None:
    given = [("u", "r", "p", 1), ("v", "r", "p", 1), ("u", "s", "p", 1), ("u", "r", "q", 1)]
    given.append(("u", "r", "p", 2))
    assert len({run_id(*g) for g in given}) == len({nonce(*g) for g in given}) == 5
    assert re.fullmatch("[0-9a-f]{6}", run_id(*given[0]))
    assert re.fullmatch("[0-9a-f]{16}", nonce(*given[0]))


def test_every_reason_has_a_word_and_a_sentence() -> None:
    for word, reason in REASONS.items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", word)
        assert reason.sentence
    assert REASONS["BelowBar"].remedy


def test_the_file_of_the_crd_is_what_the_models_say() -> None:
    assert FILE.read_text() == crd_yaml(), "stale: merit crd > crds/merit.dev_modeldeployments.yaml"


def test_every_field_of_spec_is_described_and_bounded_and_has_no_default() -> None:
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for path, node in _nodes(schema["spec"], "spec"):
        assert "default" not in node, path
        if not path.endswith("[]"):
            assert node.get("description"), path
    for path, node in [*_nodes(schema["spec"], "spec"), *_nodes(schema["status"], "status")]:
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node, path
        if node["type"] == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path
    assert schema["status"]["default"] == {"observedGeneration": -1}
    assert schema["spec"]["properties"]["rollback"]["x-kubernetes-map-type"] == "atomic"


def _nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from _nodes(node["items"], f"{path}[]")
