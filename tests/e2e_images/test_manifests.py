"""What the demo applies: parsed, and held to what it promises."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.model import data

PROJECT = Path(__file__).resolve().parents[2]
VERSIONS = ("good", "better", "inaccurate", "unfair", "failing", "leaking", "slow")
FOLDERS = ("dataplane", "traffic", "gitops")
MANIFESTS = sorted(p for folder in FOLDERS for p in PROJECT.glob(f"e2e/{folder}/*.yaml"))


def pod(document: dict[str, Any]) -> dict[str, Any]:
    spec = document.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    found: dict[str, Any] = spec.get("template", {}).get("spec", {})
    return found


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_every_container_is_restricted_and_uses_an_image_that_is_built_here(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        found = pod(document)
        for container in [*found.get("initContainers", []), *found.get("containers", [])]:
            assert container["image"].startswith("registry.local/merit/")
            assert container["imagePullPolicy"] == "IfNotPresent"
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert found["securityContext"]["runAsNonRoot"] is True


def test_the_examples_differ_in_the_version_and_only_slow_is_put_under_load_on_two_pods() -> None:
    objects = []
    for version in VERSIONS:
        found = yaml.safe_load((PROJECT / f"examples/{version}.yaml").read_text())
        assert ("load" in found["spec"].pop("feasibility", {})) is (version == "slow")
        rps, most = (80, 2) if version == "slow" else (40, 4)
        scale = {"rps": rps, "replicas": {"min": 2, "max": most}}
        assert found["spec"]["constraints"].pop("scale") == scale
        assert found["spec"].pop("model") == {
            "name": "fraud",
            "version": version,
            "uri": f"bundle://fraud/{version}",
        }
        objects.append(found)
    assert all(each == objects[0] for each in objects)


def test_the_requests_of_the_load_test_are_payments_that_the_model_knows() -> None:
    bodies = yaml.safe_load((PROJECT / "examples/requests.yaml").read_text())
    slow = yaml.safe_load((PROJECT / "examples/slow.yaml").read_text())
    request = slow["spec"]["feasibility"]["load"]["request"]
    assert request["bodiesFrom"]["configMap"] == bodies["metadata"]["name"]
    rows = [json.loads(body)["features"] for body in bodies["data"].values()]
    assert rows == [row.features for row in data.holdout()[: len(rows)]]
    assert data.NEW_CHANNEL not in {row["channel"] for row in rows}


def test_the_latency_limit_is_an_edge_of_the_gateways_histogram() -> None:
    example = yaml.safe_load((PROJECT / "examples/good.yaml").read_text())
    limit = example["spec"]["constraints"]["latency"]["p99"].removesuffix("ms")
    script = next(
        document["data"]["edges.py"]
        for document in yaml.safe_load_all((PROJECT / "e2e/dataplane/envoy.yaml").read_text())
        if document["kind"] == "ConfigMap"
    )
    edges = next(line for line in script.splitlines() if line.startswith("edges = "))
    assert limit in edges.removeprefix("edges = ").strip("[]").split(", ")
